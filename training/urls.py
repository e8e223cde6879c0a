from django.urls import path

from training import views

app_name = "training"
urlpatterns = [
    path("runs/", views.run_list, name="run-list"),
    path("runs/new/", views.run_add, name="run-add"),
    path("runs/new/preflight/", views.run_add_preflight, name="run-preflight"),
    path("runs/<uuid:pk>/", views.run_detail, name="run-detail"),
    path("runs/<uuid:pk>/facts/", views.run_facts, name="run-facts"),
    path("runs/<uuid:pk>/checkpoints/", views.run_checkpoints, name="run-checkpoints"),
    path("runs/<uuid:pk>/curves/", views.run_curve_points, name="run-curves"),
    path("runs/<uuid:pk>/log/", views.run_log, name="run-log"),
    path("runs/<uuid:pk>/cancel/", views.run_cancel_view, name="run-cancel"),
    path("runs/<uuid:pk>/resume/", views.run_resume_view, name="run-resume"),
    path("runs/<uuid:pk>/delete/", views.run_delete_view, name="run-delete"),
    path("runs/samples/<int:pk>/audio/", views.sample_audio, name="sample-audio"),
    path("runs/checkpoints/<int:pk>/pin/", views.checkpoint_pin_view, name="checkpoint-pin"),
    path("runs/checkpoints/<int:pk>/export/", views.checkpoint_export, name="checkpoint-export"),
    path("runs/exports/<uuid:pk>/download/", views.export_download, name="export-download"),
    path("runs/exports/<uuid:pk>/delete/", views.export_delete_view, name="export-delete"),
]

from django.urls import path

from training.views import comparing, runs, scoring

app_name = "training"
urlpatterns = [
    path("runs/<uuid:pk>/average/", runs.run_average, name="run-average"),
    path("runs/checkpoints/<int:pk>/pin/", runs.checkpoint_pin_view, name="checkpoint-pin"),
    path("runs/checkpoints/<int:pk>/export/", runs.checkpoint_export, name="checkpoint-export"),
    path("runs/exports/<uuid:pk>/download/", runs.export_download, name="export-download"),
    path("runs/exports/<uuid:pk>/delete/", runs.export_delete_view, name="export-delete"),
    path("runs/", runs.run_list, name="run-list"),
    path("runs/new/", runs.run_add, name="run-add"),
    path("runs/new/preflight/", runs.run_add_preflight, name="run-preflight"),
    path("runs/<uuid:pk>/", runs.run_detail, name="run-detail"),
    path("runs/<uuid:pk>/facts/", runs.run_facts, name="run-facts"),
    path("runs/<uuid:pk>/checkpoints/", runs.run_checkpoints, name="run-checkpoints"),
    path("runs/<uuid:pk>/curves/", runs.run_curve_points, name="run-curves"),
    path("runs/<uuid:pk>/log/", runs.run_log, name="run-log"),
    path("runs/<uuid:pk>/cancel/", runs.run_cancel_view, name="run-cancel"),
    path("runs/<uuid:pk>/resume/", runs.run_resume_view, name="run-resume"),
    path("runs/<uuid:pk>/delete/", runs.run_delete_view, name="run-delete"),
    path("runs/<uuid:pk>/compare/", comparing.compare, name="run-compare"),
    path("runs/<uuid:pk>/compare/outcome/", comparing.outcome, name="run-outcome"),
    path("runs/<uuid:pk>/score/", scoring.score, name="run-score"),
    path("runs/comparisons/<uuid:pk>/vote/", comparing.vote, name="comparison-vote"),
    path("runs/comparisons/<uuid:pk>/<int:place>/", comparing.audio, name="comparison-audio"),
    path("runs/<uuid:pk>/references/<int:index>/audio/", runs.reference_audio, name="reference-audio"),
    path("runs/samples/<int:pk>/audio/", runs.sample_audio, name="sample-audio"),
]

from django.urls import path

from datasets.views import adding, datasets, importing, segments, sources, speakers, versions

app_name = "datasets"
urlpatterns = [
    path("speakers/", speakers.speaker_list, name="speaker-list"),
    path("speakers/add/", speakers.speaker_add, name="speaker-add"),
    path("speakers/<int:pk>/delete/", speakers.delete_speaker, name="speaker-delete"),
    path("recordings/", sources.source_list, name="source-list"),
    path("recordings/add/", adding.source_add, name="source-add"),
    path("recordings/<uuid:pk>/", sources.source_detail, name="source-detail"),
    path("recordings/<uuid:pk>/audio/", sources.source_audio, name="source-audio"),
    path("recordings/<uuid:pk>/captions/<str:file>", sources.source_captions, name="source-captions"),
    path("recordings/<uuid:pk>/edit/", sources.source_edit, name="source-edit"),
    path("recordings/<uuid:pk>/delete/", sources.delete_source, name="source-delete"),
    path("recordings/<uuid:pk>/transcribe/", sources.retranscribe, name="source-transcribe"),
    path("recordings/<uuid:pk>/review/", sources.review_all, name="source-review"),
    path("segments/<int:pk>/", segments.segment_place, name="segment-place"),
    path("segments/<int:pk>/audio/", segments.segment_audio, name="segment-audio"),
    path("segments/<int:pk>/edit/", segments.edit, name="segment-edit"),
    path("datasets/", datasets.dataset_list, name="dataset-list"),
    path("datasets/add/", datasets.dataset_add, name="dataset-add"),
    path("datasets/import/", importing.import_add, name="import-add"),
    path("datasets/imports/<uuid:pk>/", importing.import_detail, name="import-detail"),
    path("datasets/imports/<uuid:pk>/delete/", importing.delete_import, name="import-delete"),
    path("datasets/<int:pk>/", datasets.dataset_detail, name="dataset-detail"),
    path("datasets/<int:pk>/edit/", datasets.dataset_edit, name="dataset-edit"),
    path("datasets/<int:pk>/freeze/", datasets.freeze, name="dataset-freeze"),
    path("datasets/<int:pk>/delete/", datasets.delete_dataset, name="dataset-delete"),
    path("datasets/<int:pk>/compare/", versions.dataset_compare, name="dataset-compare"),
    path("dataset-versions/<uuid:pk>/", datasets.version_detail, name="version-detail"),
    path("dataset-versions/<uuid:pk>/manifest/", datasets.version_manifest_file, name="version-manifest"),
    path("dataset-versions/<uuid:pk>/health/", versions.version_health_page, name="version-health"),
    path("dataset-versions/<uuid:pk>/measure/", versions.version_measure_anew, name="version-measure"),
    path("dataset-versions/<uuid:pk>/clips/<str:clip>/audio/", versions.version_clip_audio, name="version-clip-audio"),
]

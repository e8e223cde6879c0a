app_name = "datasets"
urlpatterns: list[object] = []

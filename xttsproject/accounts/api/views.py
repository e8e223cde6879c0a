from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from xttsproject.accounts.api.serializers import MeSerializer
from xttsproject.accounts.models import User


class MeView(APIView):
    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who the token belongs to, and in which groups they are."""
        assert isinstance(request.user, User)  # the default permission lets nobody else in
        return Response(MeSerializer(request.user).data)

"""How uploaded files reach the disk."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler

# The routes that take files, by name. Elsewhere a file in a request is read past and never written.
_TAKING_FILES = {
    "datasets:source-add",
    "recording-list",
    "datasets:import-add",
    "dataset-import-list",
    "voices:voice-add",
    "voice-list",
    "voices:lexicon-import",
    "voices:long-add",
    "lexicon-import-table",
    "openai-transcriptions",
    "openai-translations",
}
# Likewise, for people who run the portal alone.
_OF_STAFF = {"library:import-add", "model-import-list"}


class PortalUploadHandler(TemporaryFileUploadHandler):
    """To disk in pieces, for people who have signed in, where a file is asked for.

    Django parses a form before any view can say who may send it; without this, strangers could fill the disk
    through the sign-in form.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        request: Any = self.request
        match = getattr(request, "resolver_match", None)
        user = getattr(request, "user", None)
        if match is None or user is None or not user.is_authenticated:
            raise SkipFile
        if match.view_name not in _TAKING_FILES and not (match.view_name in _OF_STAFF and user.is_staff):
            raise SkipFile
        self._digest = hashlib.sha256()
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._digest.update(raw_data)
        super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> Any:
        """The file with its ``sha256``, so that nobody has to read gigabytes a second time to know them again."""
        file: Any = super().file_complete(file_size)
        if file is not None:
            file.sha256 = self._digest.hexdigest()
        return file

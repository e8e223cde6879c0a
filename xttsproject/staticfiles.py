"""How static files are kept for serving."""

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class PortalStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Hashed names and gzip. Brotli, which another package happens to bring, would take a minute of set-up to save
    a few kilobytes per visit."""

    def create_compressor(self, **kwargs: Any) -> Any:
        return super().create_compressor(**kwargs, use_brotli=False)

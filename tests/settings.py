"""The portal's settings over a throw-away data folder."""

import atexit
import os
import shutil
import tempfile

_root = tempfile.mkdtemp(prefix="xtts-portal-tests-")
atexit.register(shutil.rmtree, _root, ignore_errors=True)
for _name in ("DATABASE_URL", "REDIS_URL", "MODELS_DIR", "XTTS_BUNDLE", "WHISPER_BUNDLE", "HTTPS", "DEBUG"):
    os.environ.pop(_name, None)
os.environ["DATA_ROOT"] = _root

from xttsproject.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The manifest storage needs collectstatic; its own test runs it.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Scoring follows every finished run; the tests of scoring turn it on.
SCORE_RUNS = False

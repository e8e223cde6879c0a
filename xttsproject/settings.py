"""Every setting of the portal. Values come from the environment or ``.env``; docs/CONFIGURATION.md lists them."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.templatetags.static import static

from xttsproject.lib.env import Environment, SettingError

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env = Environment(BASE_DIR / ".env")

# --- Where things lie -------------------------------------------------------------------------------------------
env.section("Where things lie")
DATA_ROOT = env.path("DATA_ROOT", "var", "Everything written at run time lies below this folder.", base=BASE_DIR)
MODELS_DIR = env.path("MODELS_DIR", "models", "Model bundles, one folder each; relative to DATA_ROOT.", base=DATA_ROOT)
MODELS_INBOX = env.path(
    "MODELS_INBOX",
    "inbox",
    "Folder that models may be imported from without an upload, if it is there; relative to DATA_ROOT.",
    base=DATA_ROOT,
)
MEDIA_ROOT = DATA_ROOT / "media"
RUNS_DIR = DATA_ROOT / "runs"
CACHE_DIR = DATA_ROOT / "cache"
STATIC_ROOT = DATA_ROOT / "static"
# People's recordings and password hashes lie here: for the account that runs the portal alone.
DATA_ROOT.mkdir(parents=True, exist_ok=True, mode=0o700)

# --- The site ---------------------------------------------------------------------------------------------------
env.section("The site")
DEBUG = env.boolean("DEBUG", False, "Show tracebacks in the browser. Never on a machine that others reach.")
SECRET_KEY = env.text(
    "SECRET_KEY", "", "Signs sessions. Empty: made once and kept in DATA_ROOT/secret.key, readable by the owner alone."
)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", "Host names the portal answers to.")
CSRF_TRUSTED_ORIGINS = env.names(
    "CSRF_TRUSTED_ORIGINS", "", "Origins (https://voices.example.org) that forms may come from behind a proxy."
)
HTTPS = env.boolean("HTTPS", False, "The portal is reached by https: cookies are marked secure, HSTS is sent.")
BEHIND_PROXY = env.boolean(
    "BEHIND_PROXY",
    False,
    "There is one reverse proxy in front: trust its X-Forwarded-Proto, and X-Forwarded-For for the limits of sign-in.",
)
ALLOW_SIGNUP = env.boolean("ALLOW_SIGNUP", False, "Strangers may create an account. Otherwise an administrator does.")
TIME_ZONE = env.text("TIME_ZONE", "UTC", "Time zone of dates on pages, by its IANA name.")
LOG_LEVEL = env.text("LOG_LEVEL", "INFO", "How much is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
EMAIL = env.mail(
    "EMAIL_URL", "consolemail://", "Where mail goes: smtp+tls://user:password@host:587, or consolemail://."
)
API_TOKEN_DAYS = env.integer("API_TOKEN_DAYS", 90, "Days until a new API token expires; 0 means never.")
METRICS_TOKEN = env.text(
    "METRICS_TOKEN", "", "Bearer token with which Prometheus reads /metrics. Empty: administrators only."
)
TENSORBOARD_URL = env.text(
    "TENSORBOARD_URL",
    "",
    "Where users reach TensorBoard: an address, or a path such as /tensorboard/ that the proxy in front passes on. "
    "TensorBoard answers under that path. Empty hides the link.",
)
TENSORBOARD_HOST = env.text(
    "TENSORBOARD_HOST", "127.0.0.1", "Where TensorBoard listens. It has no sign-in: the proxy has to ask for one."
)
TENSORBOARD_PORT = env.integer("TENSORBOARD_PORT", 6006, "The port that TensorBoard listens on.", minimum=1)

# --- Database and queues ----------------------------------------------------------------------------------------
env.section("Database and queues")
_database = env.database(
    "DATABASE_URL",
    "",
    "postgres://user:password@host/name (with the `scale` extra) or sqlite:///path. Empty: DATA_ROOT/portal.sqlite3.",
    fallback=f"sqlite:///{DATA_ROOT / 'portal.sqlite3'}",
)
REDIS_URL = env.url(
    "REDIS_URL", "", "Redis as the queues' broker, for workers on several machines. Empty: the database."
)
CPU_WORKERS = env.integer("CPU_WORKERS", 2, "Processes for fetching, cutting and exporting.", minimum=1)
GPU_WORKERS = env.integer("GPU_WORKERS", 1, "Processes for transcription and training: one per device.", minimum=1)
SPEECH_WORKERS = env.integer(
    "SPEECH_WORKERS",
    1,
    "Processes that speak long texts: each has a speech model of its own in memory, beside that of the web process.",
    minimum=1,
)
JOB_TIMEOUT_HOURS = env.integer("JOB_TIMEOUT_HOURS", 72, "The longest a job may run.", minimum=1)
JOB_TURN_MINUTES = env.integer(
    "JOB_TURN_MINUTES",
    10,
    "How long a long text is spoken before another person's, if one waits, has its turn; then it goes on.",
    minimum=1,
)
JOB_LOST_SECONDS = env.integer(
    "JOB_LOST_SECONDS", 90, "A running job without a sign of life for so long is taken from its worker.", minimum=30
)

# --- Recordings -------------------------------------------------------------------------------------------------
env.section("Recordings")
UPLOAD_MAX_BYTES = env.integer(
    "UPLOAD_MAX_BYTES", 4 * 1024**3, "Largest file that may be uploaded or fetched, in bytes."
)
RECORDING_MAX_SECONDS = env.integer("RECORDING_MAX_SECONDS", 7200, "Longest recording, in seconds.", minimum=1)
FETCH_TIMEOUT_SECONDS = env.integer("FETCH_TIMEOUT_SECONDS", 1800, "Longest time for fetching one URL.", minimum=1)
IMPORT_MAX_BYTES = env.integer(
    "IMPORT_MAX_BYTES", 32 * 1024**3, "Most bytes that the files of an imported dataset may have, unpacked.", minimum=1
)
IMPORT_MAX_HOURS = env.integer(
    "IMPORT_MAX_HOURS", 100, "Most hours of sound that an imported dataset may have.", minimum=1
)
PLAYLIST_MAX_ENTRIES = env.integer(
    "PLAYLIST_MAX_ENTRIES", 500, "How many recordings of a playlist, a channel or a feed are listed.", minimum=1
)
INGEST_ALLOW_PRIVATE_HOSTS = env.boolean(
    "INGEST_ALLOW_PRIVATE_HOSTS", False, "URLs may point at addresses of this machine or its network."
)

# --- Models and speech ------------------------------------------------------------------------------------------
env.section("Models and speech")
MODEL_HUB_URL = env.url(
    "MODEL_HUB_URL", "https://huggingface.co", "The model hub that `manage.py models download` asks."
)
MODEL_UPLOAD_MAX_BYTES = env.integer(
    "MODEL_UPLOAD_MAX_BYTES",
    8 * 1024**3,
    "Largest upload of a model, in bytes; a trainer's checkpoint has 5 GB. Larger ones go into MODELS_INBOX.",
    minimum=1,
)
XTTS_BUNDLE = env.text("XTTS_BUNDLE", "tiny", "The XTTS bundle in MODELS_DIR that speaks and is fine-tuned.")
WHISPER_BUNDLE = env.text("WHISPER_BUNDLE", "tiny-whisper", "The Whisper bundle in MODELS_DIR that transcribes.")
DEVICE = env.text("DEVICE", "auto", "Device of the models: auto, cpu, cuda or cuda:N.")
SPEECH_PRECISION = env.text(
    "SPEECH_PRECISION",
    "auto",
    "Precision of the weights of speech and of new runs' samples; auto: fp16 where the device has it; int8 is the "
    "fastest on processors (docs/SPEECH.md says what each costs and gains).",
    choices=("auto", "fp32", "bf16", "fp16", "int8"),
)
SPEECH_GRAPHS = env.boolean(
    "SPEECH_GRAPHS",
    True,
    "On a GPU, record each kind of decoding step once as a CUDA graph and replay it. Off where that makes trouble.",
)
WHISPER_SECOND_BUNDLE = env.text(
    "WHISPER_SECOND_BUNDLE",
    "",
    "A larger Whisper bundle that listens again to clips of which the first is not sure. Empty: the first tries again.",
)
WHISPER_DEVICE = env.text("WHISPER_DEVICE", "", "Device of transcription: auto, cpu, cuda or cuda:N. Empty: DEVICE.")
WHISPER_COMPUTE_TYPE = env.text(
    "WHISPER_COMPUTE_TYPE",
    "default",
    "Precision of transcription as CTranslate2 names it; default keeps the model's own.",
    choices=(
        "default",
        "auto",
        "int8",
        "int8_float32",
        "int8_float16",
        "int8_bfloat16",
        "int16",
        "float16",
        "bfloat16",
        "float32",
    ),
)
WHISPER_BATCH_SIZE = env.integer(
    "WHISPER_BATCH_SIZE", 8, "Windows that are transcribed together; more need more memory.", minimum=1
)
WHISPER_BEAM_SIZE = env.integer(
    "WHISPER_BEAM_SIZE", 5, "Hypotheses that transcription follows; 1 is fastest.", minimum=1
)
WHISPER_SHARE_WINDOWS = env.boolean(
    "WHISPER_SHARE_WINDOWS",
    False,
    "Neighbouring clips share one window of Whisper (30 s): faster, but a word may be heard less well. "
    "Off: each has its own.",
)
WHISPER_THREADS = env.integer("WHISPER_THREADS", 0, "CPU threads of transcription; 0 leaves it to CTranslate2.")
SPEECH_PRELOAD = env.boolean(
    "SPEECH_PRELOAD",
    False,
    "Load the speech model when the portal starts. With SPEECH_LOW_MEMORY it is loaded once, to see that it can be, "
    "and leaves again.",
)
SPEECH_IDLE_UNLOAD = env.integer(
    "SPEECH_IDLE_UNLOAD", 900, "Seconds without a request after which the speech model leaves memory; 0 means never."
)
SPEECH_MAX_CHARACTERS = env.integer("SPEECH_MAX_CHARACTERS", 5000, "Longest text of one request.", minimum=1)
SPEECH_LONG_CHARACTERS = env.integer(
    "SPEECH_LONG_CHARACTERS", 200_000, "Longest text that is spoken by a job, sentence by sentence.", minimum=1
)
SPEECH_LONG_WAITING = env.integer(
    "SPEECH_LONG_WAITING",
    10,
    "Long texts of one person that may wait to be spoken, besides what is being spoken; further ones are answered 429.",
    minimum=1,
)
SPEECH_TOGETHER = env.integer(
    "SPEECH_TOGETHER",
    8,
    "Requests that are spoken at the same time; their sentences share every step of the model.",
    minimum=1,
)
SPEECH_BATCH = env.integer(
    "SPEECH_BATCH",
    16,
    "Sentences that are decoded together. XTTS-v2 needs up to 0.2 GB for each beside its weights (half of it where "
    "SPEECH_PRECISION has 16 bits).",
    minimum=1,
)
SPEECH_LOW_MEMORY = env.boolean(
    "SPEECH_LOW_MEMORY",
    False,
    "For small machines: one speech model at a time is in memory, only while something is spoken, and four sentences "
    "at most are decoded together, whatever SPEECH_BATCH and SPEECH_IDLE_UNLOAD say. Every request loads the model.",
)
SPEECH_QUEUE = env.integer(
    "SPEECH_QUEUE",
    8,
    "Requests that may wait for speech; further ones are answered 429. With SPEECH_TOGETHER keep it below WEB_THREADS: "
    "each request holds one of them until it is answered.",
    minimum=1,
)
SPEECH_KEEP_DAYS = env.integer(
    "SPEECH_KEEP_DAYS", 0, "Days until what was spoken is deleted; 0 keeps it. `manage.py prune --dry-run` shows it."
)
SPEECH_KEEP_GB = env.integer(
    "SPEECH_KEEP_GB", 0, "GB (of 1000³ bytes) that everybody's speech may take; the oldest goes first. 0: no limit."
)
SPEECH_CONVERTED_MB = env.integer(
    "SPEECH_CONVERTED_MB",
    500,
    "MB (of 1000² bytes) that speech in other forms may take, which is kept for a day because players ask for it in "
    "stretches; what was not asked for the longest goes first. 0 keeps none.",
)
TRANSCRIPTION_QUEUE = env.integer(
    "TRANSCRIPTION_QUEUE",
    3,
    "Files that may wait for /v1/audio/transcriptions; further ones are answered 429. Each holds one of WEB_THREADS.",
    minimum=1,
)
TRANSCRIPTION_MAX_BYTES = env.integer(
    "TRANSCRIPTION_MAX_BYTES", 100 * 1024**2, "Largest file of /v1/audio/transcriptions, in bytes.", minimum=1
)
TRANSCRIPTION_MAX_SECONDS = env.integer(
    "TRANSCRIPTION_MAX_SECONDS", 1800, "Longest sound of /v1/audio/transcriptions, in seconds.", minimum=1
)
SCORE_RUNS = env.boolean("SCORE_RUNS", True, "Score a run's checkpoints as soon as it has finished.")
TRAINING_THREADS = env.integer("TRAINING_THREADS", 0, "CPU threads of a training run; 0 leaves it to PyTorch.")
TRAINING_DEVICES = env.integer(
    "TRAINING_DEVICES",
    1,
    "How many GPUs of its machine a training run may take; with more than one, people choose how many share a run.",
    minimum=1,
)

# --- What follows is not meant to be set from outside -----------------------------------------------------------


def _secret_key() -> str:
    """The configured key, or one made once and kept: every process of one installation must share it."""
    if SECRET_KEY:
        return SECRET_KEY
    kept = DATA_ROOT / "secret.key"
    if not kept.exists():
        # Written whole under another name and linked into place: of several processes that start at once, one
        # wins and none ever reads half a key. A temporary file of this kind is readable by its owner alone.
        with tempfile.NamedTemporaryFile("w", dir=DATA_ROOT, prefix=".secret-", encoding="ascii") as handle:
            handle.write(secrets.token_urlsafe(50))
            handle.flush()
            with contextlib.suppress(FileExistsError):
                os.link(handle.name, kept)
    key = kept.read_text(encoding="ascii")
    if len(key) < 50:
        raise SettingError(
            f"{kept.name} in DATA_ROOT is damaged: it holds {len(key)} characters. Restore or delete it."
        )
    return key


SECRET_KEY = _secret_key()

INSTALLED_APPS = [
    # The basic one leaves the admin site to PortalAdminConfig below.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "xttsproject.apps.PortalAdminConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "django_q",
    "django_prometheus",
    "simple_history",
    "csp",
    "xttsproject.apps.PortalConfig",
    "xttsproject.bundles",
    "xttsproject.jobs",
    "xttsproject.accounts",
    "datasets",
    "training",
    "voices",
    "xttsproject.library",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "xttsproject.middleware.HeadMiddleware",
    "csp.middleware.CSPMiddleware",
    "xttsproject.middleware.UploadLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "xttsproject.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "xttsproject.middleware.SignedOutMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "xttsproject.urls"
WSGI_APPLICATION = "xttsproject.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "xttsproject.context.portal",
            ],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {"default": {**_database, "ATOMIC_REQUESTS": False}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Several processes write: WAL lets readers go on meanwhile, IMMEDIATE takes the write lock before reading,
    # so that a busy writer is waited for instead of failing half-way through a transaction.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

_hour = 3600
Q_CLUSTER: dict[str, Any] = {
    "name": "cpu",
    "label": "Queues",
    "workers": CPU_WORKERS,
    "queue_limit": CPU_WORKERS,
    "recycle": 200,
    # A message is handed out again only after the longest job could have ended, and once is enough: jobs are
    # claimed in the database and the reaper, not the broker, gives lost ones to another worker.
    "timeout": JOB_TIMEOUT_HOURS * _hour,
    "retry": (JOB_TIMEOUT_HOURS + 1) * _hour,
    "max_attempts": 1,
    "ack_failures": True,
    "poll": 0.5,
    "save_limit": 200,
    "catch_up": False,
    "ALT_CLUSTERS": {
        "gpu": {
            "workers": GPU_WORKERS,
            "queue_limit": GPU_WORKERS,
            "timeout": JOB_TIMEOUT_HOURS * _hour,
            "retry": (JOB_TIMEOUT_HOURS + 1) * _hour,
            "recycle": 20,
        },
        "speech": {
            "workers": SPEECH_WORKERS,
            "queue_limit": SPEECH_WORKERS,
            "timeout": JOB_TIMEOUT_HOURS * _hour,
            "retry": (JOB_TIMEOUT_HOURS + 1) * _hour,
            "recycle": 20,
        },
    },
}
if REDIS_URL:
    Q_CLUSTER["redis"] = REDIS_URL
else:
    Q_CLUSTER["orm"] = "default"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_ADAPTER = "xttsproject.accounts.adapter.AccountAdapter"
ACCOUNT_LOGOUT_ON_GET = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
# Mail may go nowhere on a small installation; that must not keep people from a second factor.
MFA_ALLOW_UNVERIFIED_EMAIL = True

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "xttsproject.accounts.api.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "xttsproject.accounts.api.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": [
        "xttsproject.strict.StrictFilterBackend",
        "xttsproject.strict.StrictOrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "xttsproject.accounts.api.pagination.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "xttsproject.accounts.api.schema.PortalSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "xttsproject.accounts.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 (a model, no password)
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=API_TOKEN_DAYS) if API_TOKEN_DAYS else None,
    # The word that OpenAI's clients send; one header works for every endpoint.
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "XTTS voice portal",
    "DESCRIPTION": "Recordings, segments, datasets, fine-tuning runs, voices and speech. Authorise with an API token "
    "from your profile page: `Authorization: Bearer <token>`.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "xttsproject.accounts.api.schema.describe_errors",
    ],
    # Several things have a "state"; each vocabulary keeps its own name in clients made from the schema.
    "ENUM_NAME_OVERRIDES": {
        "JobState": "xttsproject.jobs.choices.JobState",
        "RecordingState": "datasets.choices.SourceState",
        "PlaylistState": "datasets.choices.PlaylistState",
        "VersionState": "datasets.choices.VersionState",
        "ImportState": "datasets.choices.ImportState",
        "ExportState": "datasets.choices.ExportState",
        "RunState": "training.choices.RunState",
        "SweepMethod": "training.choices.SweepMethod",
        "VoiceState": "voices.choices.VoiceState",
        # What may be asked for differs from what is kept: a language to be detected is none that anything is in.
        "SpokenLanguage": "datasets.choices.LANGUAGE_CHOICES",
        "LanguageOrDetect": "datasets.choices.LANGUAGE_OR_DETECT",
        "RecordingLanguage": "datasets.choices.RECORDING_LANGUAGES",
        "ImportForm": "datasets.choices.ImportForm",
        "ExportForm": "datasets.choices.ExportForm",
        "TrainingMethod": "training.choices.Method",
        "GuardMode": "voices.choices.GuardMode",
    },
}

USE_TZ = True
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
MEDIA_URL = "media/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "xttsproject.staticfiles.PortalStaticFilesStorage"},
}
# Uploads of any size go to disk in pieces, on the same file system as their final place.
FILE_UPLOAD_HANDLERS = ["xttsproject.uploads.PortalUploadHandler"]
FILE_UPLOAD_TEMP_DIR = DATA_ROOT / "uploads"
FILE_UPLOAD_PERMISSIONS = 0o644
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

globals().update(EMAIL)

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # Else everybody has the proxy's address, and one person's wrong passwords lock all others out.
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ("/admin/", "/api/docs/"),
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "style-src": [SELF, "'unsafe-inline'"],
        "connect-src": [SELF, "blob:"],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {"django-q": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}

UNFOLD = {
    "SITE_TITLE": "XTTS voice portal",
    "SITE_HEADER": "Voice portal",
    "SITE_URL": "/",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}],
    # The portal's own green instead of the theme's purple.
    "COLORS": {
        "primary": {
            "50": "#effaf7",
            "100": "#d3f2ea",
            "200": "#a8e4d6",
            "300": "#74cfbc",
            "400": "#45b29d",
            "500": "#2a9683",
            "600": "#0f766e",
            "700": "#115e59",
            "800": "#134e4a",
            "900": "#153f3c",
            "950": "#042f2e",
        }
    },
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
}
PROMETHEUS_EXPORT_MIGRATIONS = False

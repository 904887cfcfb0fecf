"""Django's settings, read from the container's environment.

Each APP_* variable is read here and nowhere else, but for those of `manage.py initialize`.
"""

from pathlib import Path

from django.utils.csp import CSP

from project.environment import Environment
from project.settings_static import BASE_DIR, INSTALLED_APPS, STATIC_URL  # noqa: F401

with Environment() as env:
    LAB_NODE = env.text("APP_NODE")
    LAB_MODE = env.text("APP_MODE")
    LAB_RELEASE_FILE = Path(env.text("APP_RELEASE_FILE", "/run/lab/release"))
    LAB_STATIC_SET_FILE = Path(env.text("APP_STATIC_SET_FILE", "/run/lab/static_set"))
    LAB_STATIC_MANIFESTS = Path(env.text("APP_STATIC_MANIFESTS", "/shared/manifests"))

    SECRET_KEY = env.secret("APP_SECRET_KEY_FILE")
    # A tunnel ends at its user's own machine, which has these names for everybody.
    ALLOWED_HOSTS = [".localhost", "127.0.0.1", "[::1]", *env.items("APP_ALLOWED_HOSTS")]
    CSRF_TRUSTED_ORIGINS = env.items("APP_CSRF_TRUSTED_ORIGINS", "")

    MYSQL_HOST = env.text("APP_MYSQL_HOST")
    MYSQL_WRITE_PORT = env.number("APP_MYSQL_WRITE_PORT", 3306)
    MYSQL_READ_PORT = env.number("APP_MYSQL_READ_PORT", 3307)
    MYSQL_DATABASE = env.text("APP_MYSQL_DATABASE", "djangodb")
    MYSQL_USER = env.text("APP_MYSQL_USER", "django")
    MYSQL_PASSWORD = env.secret("APP_MYSQL_PASSWORD_FILE", "/run/secrets/mysql_django_password")

    CASSANDRA_NODES = env.items("APP_CASSANDRA_NODES")
    CASSANDRA_PORT = env.number("APP_CASSANDRA_PORT", 9042)
    CASSANDRA_DATACENTER = env.text("APP_CASSANDRA_DATACENTER", "dc1")
    CASSANDRA_KEYSPACE = env.text("APP_CASSANDRA_KEYSPACE", "posts_db")
    CASSANDRA_USER = env.text("APP_CASSANDRA_USER", "django")
    CASSANDRA_PASSWORD = env.secret(
        "APP_CASSANDRA_PASSWORD_FILE", "/run/secrets/cassandra_django_password"
    )

DEBUG = False
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"

MIDDLEWARE = [
    # Outermost: every answer bears the lab's headers, and every log line the request's id.
    "project.middleware.lab_headers",
    # Before anything that asks for the Host: a balancer asks a server by its address.
    "project.health.health_endpoints",
    "project.origins.canonical_origins",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "project.redirects.redirects_that_fit",
    # Outside the sessions, so that it sees them being saved.
    "project.causal.causal_reads",
    "project.again.safe_requests_again",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "project.middleware.served_by",
            ],
        },
    },
]


def mysql(port: int) -> dict[str, object]:
    return {
        "ENGINE": "project.mysql",
        "HOST": MYSQL_HOST,
        "PORT": port,
        "NAME": MYSQL_DATABASE,
        "USER": MYSQL_USER,
        "PASSWORD": MYSQL_PASSWORD,
        "CONN_MAX_AGE": 60,
        # After a failover the kept connections are dead.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "charset": "utf8mb4",
            # PREFERRED, the default, connects without TLS here.
            "ssl_mode": "REQUIRED",
            # Seconds. A failover takes about 7: a write may wait for it, a connect may not.
            "connect_timeout": 2,
            "read_timeout": 15,
            "write_timeout": 15,
        },
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_0900_ai_ci"},
    }


DATABASES = {
    "default": mysql(MYSQL_WRITE_PORT),
    # Of safe requests alone. If it is dead, causal.py asks the primary, or again.py once more.
    "read_only": mysql(MYSQL_READ_PORT) | {"CONN_HEALTH_CHECKS": False},
}
DATABASE_ROUTERS = ["project.router.CausalRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "posts:list"
LOGOUT_REDIRECT_URL = "login"
SESSION_ENGINE = "project.sessions"
# "Posted" needs no row in the sessions' table.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
CSRF_FAILURE_VIEW = "project.errors.csrf_failure"

STORAGES = {"staticfiles": {"BACKEND": "project.static_sets.StaticSetStorage"}}

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "img-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
}
# Browsers ignore this header over plain HTTP, and print an error about it on each page.
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # HSTS: the lab has no TLS in front
    "security.W008",  # SECURE_SSL_REDIRECT: likewise
    "security.W012",  # SESSION_COOKIE_SECURE: the browser would not send it over plain HTTP
    "security.W016",  # CSRF_COOKIE_SECURE: likewise
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "project.logs.JsonFormatter"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django's own handlers print to the terminal or send mail.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # A line for each 4xx would repeat the request's own line.
        "django.request": {"level": "ERROR"},
        # Scanners send made-up hosts all day; the request's own line has the reason.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.security.csrf": {"level": "CRITICAL"},
        # The driver logs each failed attempt with a traceback; store.py says what came of them.
        "cassandra": {"level": "CRITICAL"},
    },
}

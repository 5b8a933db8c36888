# SPDX-License-Identifier: Apache-2.0
"""The smallest shop of django-oscar that answers its API, with nothing switched on that costs it time."""
import os
import urllib.parse

from oscar import INSTALLED_APPS as OSCAR_APPS
from oscar.defaults import *

DEBUG = False
SECRET_KEY = "a benchmark keeps no secrets"
ALLOWED_HOSTS = ["127.0.0.1"]
SITE_ID = 1
LANGUAGES = [("en", "English")]
USE_TZ, TIME_ZONE = True, "UTC"
ROOT_URLCONF = "urls"
INSTALLED_APPS = [*OSCAR_APPS, "rest_framework", "oscarapi"]
# Less than Oscar's pages need, and all that its API does.
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"]
# Cheaper than the default, sessions in the database.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 20,
}
OSCAR_ALLOW_ANON_CHECKOUT = True

# Both databases as durable as they are by default: SQLite with synchronous=FULL.
url = urllib.parse.urlsplit(os.environ["OSCAR_DATABASE"])
if url.scheme == "sqlite":
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": url.path,
        "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}}}
else:
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "HOST": url.hostname, "PORT": url.port,
        "USER": url.username, "PASSWORD": url.password}}
DATABASES["default"]["CONN_MAX_AGE"] = None

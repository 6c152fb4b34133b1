"""A Django application in one file, served through its ASGI handler. Needs `pip install django`.

monoceros-serve examples.django_app:app

A project of several files is served the same way: `monoceros-serve mysite.asgi:application`.
"""

import asyncio
import os
import secrets

from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, JsonResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    # Fine for one process; several need the same key.
    SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_urlsafe(),
)


def index(request: HttpRequest) -> HttpResponse:
    """A view of the usual kind: Django runs it in a thread."""
    return HttpResponse(f"Hello from Django, {request.META['REMOTE_ADDR']}!\n", content_type="text/plain")


async def gather(request: HttpRequest) -> JsonResponse:
    """An async view: it runs in the server's event loop and may wait for many things at once."""

    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    return JsonResponse({"waited": await asyncio.gather(wait(0.1), wait(0.2), wait(0.3))})


urlpatterns = [path("", index), path("gather/", gather)]

app = get_asgi_application()

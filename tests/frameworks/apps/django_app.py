"""The application in Django, through its ASGI handler."""

import json
from collections.abc import AsyncIterator

from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, SECRET_KEY="of no use")


async def greet(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return JsonResponse({"doubled": 2 * json.loads(request.body)["number"]})
    return JsonResponse({"hello": "world"})


async def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type=request.headers["content-type"])


async def decode(request: HttpRequest, rest: str) -> HttpResponse:
    return JsonResponse({"path": rest, "query": request.GET.getlist("q")})


async def headers(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"question": request.headers["x-question"]}, headers={"X-Answer": "42"})


async def cookies(request: HttpRequest) -> HttpResponse:
    response = JsonResponse({"a": request.COOKIES["a"], "b": request.COOKIES["b"]})
    response.set_cookie("c", "3")
    response.set_cookie("d", "4", httponly=True)
    return response


async def stream(request: HttpRequest) -> HttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part

    return StreamingHttpResponse(parts(), content_type="application/octet-stream")


def in_a_thread(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"ran": "in a thread"})


async def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    return JsonResponse({"name": file.name, "type": file.content_type, "size": len(file.read())})


async def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [
    path("json", greet),
    path("echo", echo),
    path("path/<path:rest>", decode),
    path("headers", headers),
    path("cookies", cookies),
    path("stream", stream),
    path("thread", in_a_thread),
    path("upload", upload),
    path("error", fail),
]

app = get_asgi_application()

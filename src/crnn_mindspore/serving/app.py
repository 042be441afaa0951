"""The web application: its paths, and what each refusal means in HTTP."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.reading.recognition import Wanted
from crnn_mindspore.serving.answers import Answer, Health, Models, NamedHealth, Problem, image_result
from crnn_mindspore.serving.batching import BatchingReader, BusyError, Reading, Result
from crnn_mindspore.serving.bodies import RETRY, BodyReader, Upload
from crnn_mindspore.serving.browsers import BrowserRules
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.metrics import Metrics
from crnn_mindspore.serving.served_models import ServedModel
from crnn_mindspore.serving.wrapping import METRICS_PATH, WrappedApp

# Pages ask relative to their own address: a proxy may have this server below a path of its own.
_DOCS_FILES = "static-offline-docs"
_STATIC = Path(__file__).with_name("static")
_PATHS = ("/", "/recognize", "/models", "/health", METRICS_PATH, "/docs", "/openapi.json")
_CLIENT_LEFT = 499  # by convention; nobody is there to see it but the metrics

_DESCRIPTION = (
    "Reads words from images. Images come as a form with files, as base64 in JSON, or one as the body."
)
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"images": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "image": {"type": "string", "format": "byte"},
                    "images": {"type": "array", "items": {"type": "string", "format": "byte"}},
                },
            }
        },
        "image/*": {"schema": {"type": "string", "format": "binary"}},
    },
}
_PROBLEMS = {
    400: "no image, or a form or JSON that cannot be read",
    403: "a browser sent it for a page of another origin",
    408: "the body did not arrive in time",
    413: "the body is too large",
    415: "one image was sent, and it is none; or another type of content",
    421: "the service does not go by this name",
    422: "one image was sent, and it is damaged or too large; or an unknown or wrong parameter",
    503: "too many images are waiting",
}


class Options(BaseModel):
    """What a request may ask for, in its query."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(1, ge=1, le=10, description="texts wanted: the reading and top_k - 1 alternatives")
    positions: bool = Field(False, description="also where each character stands, and its confidence")
    alignment: bool = Field(False, description="also the network's probabilities at every time step")
    greedy: bool = Field(False, description="also what the network alone says, whatever the decoder")

    def wanted(self) -> Wanted:
        """The same for the recogniser."""
        return Wanted(self.top_k, self.positions, self.alignment, self.greedy)


def create_app(
    models: Sequence[ServedModel],
    metrics: Metrics,
    limits: Limits,
    rules: BrowserRules | None = None,
    metrics_port: int | None = None,
) -> ASGIApp:
    """The application, to be run by any ASGI server.

    Args:
        models: With different names; the first answers under /recognize and /health too.
        metrics: Counts.
        limits: On requests.
        rules: On names and pages; by default those of a service that is reached under any name.
        metrics_port: See `WrappedApp`.
    """
    app = FastAPIOffline(
        title="CRNN text recogniser",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to whatever the request calls its host
        static_url=f"/{_DOCS_FILES}",
        servers=[{"url": "."}],
    )
    bodies = BodyReader(limits)
    by_name = {model.name: model for model in models}
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()
    }
    unknown: dict[int | str, dict[str, Any]] = {
        404: {"model": Problem, "description": "no model of this name"}
    }

    def named(name: str) -> ServedModel:
        if name not in by_name:
            raise HTTPException(404, unknown_message("model", name, by_name))
        return by_name[name]

    async def answer(model: ServedModel, request: Request, options: Options) -> Answer:
        async with bodies.uploads(request) as uploads:
            results = await _read(request, model.reader, uploads, options.wanted())
        metrics.count_results(results)
        if len(results) == 1 and (problem := results[0].recognition.error):
            raise HTTPException(422 if results[0].is_image else 415, problem)
        return Answer(
            results=[image_result(result.recognition, options.wanted(), model.artifact) for result in results]
        )

    @app.post(
        "/recognize",
        openapi_extra={"requestBody": _BODY},
        response_model_exclude_none=True,
        responses=problems,
    )
    async def recognize(request: Request, options: Annotated[Options, Query()]) -> Answer:
        """The text of each image. An image that cannot be read has an error instead, unless it is alone."""
        return await answer(models[0], request, options)

    @app.get("/health")
    async def get_health() -> Health:
        """The model. The server listens only once it is loaded."""
        return models[0].health

    @app.get("/models")
    async def get_models() -> Models:
        """All models; the first is that of /recognize."""
        return Models(models=[NamedHealth(name=m.name, **m.health.model_dump()) for m in models])

    @app.post(
        "/models/{name}/recognize",
        openapi_extra={"requestBody": _BODY},
        response_model_exclude_none=True,
        responses=problems | unknown,
    )
    async def recognize_with(name: str, request: Request, options: Annotated[Options, Query()]) -> Answer:
        """As /recognize, with the model of this name."""
        return await answer(named(name), request, options)

    @app.get("/models/{name}/health", responses=unknown)
    async def get_health_of(name: str) -> Health:
        """The model of this name."""
        return named(name).health

    @app.get(METRICS_PATH, response_class=Response)
    async def get_metrics() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", include_in_schema=False)
    async def get_page() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def get_docs() -> HTMLResponse:
        return get_swagger_ui_html(
            title=app.title,
            openapi_url="openapi.json",
            swagger_js_url=f"{_DOCS_FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{_DOCS_FILES}/swagger-ui.css",
            swagger_favicon_url=f"{_DOCS_FILES}/favicon.png",
        )

    app.mount("/static", StaticFiles(directory=_STATIC))
    _name_problems(app)
    own = [f"/models/{name}/{path}" for name in by_name for path in ("recognize", "health")]
    return WrappedApp(app, metrics, [*_PATHS, *own], rules or BrowserRules(), metrics_port)


async def _read(
    request: Request, reader: BatchingReader, uploads: Sequence[Upload], wanted: Wanted
) -> list[Result]:
    """What became of the images; the work ends with the client's connection.

    Raises:
        HTTPException: 503 if too many images wait.
        ClientDisconnect: If the client has gone.
    """
    busy = HTTPException(503, "too many images are waiting; try again", RETRY)
    try:
        reading = reader.submit(uploads, wanted, request.client.host if request.client else "")
    except BusyError:
        raise busy from None
    results = asyncio.create_task(_all(reading))
    leaving: asyncio.Task[Any] = asyncio.create_task(_client_leaves(request))
    try:
        await asyncio.wait([results, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not results.done():
            raise ClientDisconnect
        return results.result()
    except BusyError:
        raise busy from None
    finally:
        leaving.cancel()
        results.cancel()
        reading.abandon()


async def _all(reading: Reading) -> list[Result]:
    return await asyncio.gather(*map(asyncio.wrap_future, reading.results))


async def _client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # the end of a body that was read already


def _name_problems(app: FastAPI) -> None:
    """Gives every refusal the same form: {"detail": "one sentence"}."""

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [_parameter_problem(problem) for problem in error.errors()]
        return JSONResponse({"detail": "; ".join(problems)}, 422)

    @app.exception_handler(ClientDisconnect)
    async def client_left(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_LEFT)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"detail": "the server failed; its log says why"}, 500)


def _parameter_problem(problem: dict[str, Any]) -> str:
    name = problem["loc"][-1]
    if problem["type"] == "extra_forbidden":
        return f"unknown parameter {name!r}, must be one of {', '.join(Options.model_fields)}"
    return f"{name} is {problem['input']!r}: {problem['msg']}"

"""The built web UI: hashed assets kept for ever, an index always asked for, compressed copies where built."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from cityops.ioc.problems import problem

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
FOREVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))

_NOT_BUILT = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>CityOps 城运</title>
<style>body{background:#0f1720;color:#dbe4ee;font:18px/1.7 sans-serif;max-width:44em;margin:15vh auto;padding:0 2em}
code{background:#1d2a38;padding:.1em .4em}</style>
<h1>界面尚未构建 · The web UI is not built</h1>
<p>接口已在运行,界面文件不存在。请在项目目录执行 <code>make up</code>(或 <code>pip install .</code>)后刷新。</p>
<p>The API is up, the UI's files are not there. Run <code>make up</code> (or <code>pip install .</code>) in the
project's folder, then reload. <a style="color:#9fc3e8" href="/v1/health">/v1/health</a>
<a style="color:#9fc3e8" href="/openapi.json">/openapi.json</a></p></html>"""


class Assets:
    """ASGI application of the UI in `folder`; a path without a suffix is a page of the UI and answered by its index."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder.resolve()

    @property
    def built(self) -> bool:
        """Whether there is a UI to serve."""
        return (self.folder / INDEX).is_file()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD with a file, its compressed copy, or why not."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        asked: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "files are only read", headers={"Allow": "GET, HEAD"})
        if asked.startswith("/v1/"):
            return problem(404, f"no such address: {asked}; /openapi.json lists all")
        if not self.built:
            return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
        path = self._find(asked)
        return problem(404, f"no such file: {asked}") if path is None else self._send(path, Headers(scope=scope))

    def _find(self, asked: str) -> Path | None:
        """Return the file for an address, the index for a page of the UI, None for what is not there."""
        if "\0" in asked:
            return None
        path = (self.folder / asked.lstrip("/")).resolve()
        if not path.is_relative_to(self.folder) or (path.suffix and not path.is_file()):
            return None
        return path if path.is_file() else self.folder / INDEX

    def _send(self, path: Path, asking: Headers) -> Response:
        hashed = path.is_relative_to(self.folder / "assets")
        headers = {"Cache-Control": FOREVER if hashed else ASK_FIRST, "Vary": "Accept-Encoding"}
        accepted = {part.split(";")[0].strip() for part in asking.get("accept-encoding", "").split(",")}
        for encoding, suffix in ENCODINGS:
            copy = path.with_name(path.name + suffix)
            if encoding in accepted and copy.is_file():
                media = FileResponse(path).media_type
                return unless_known(asking, copy, headers | {"Content-Encoding": encoding}, media)
        return unless_known(asking, path, headers)


def unless_known(asking: Headers, path: Path, headers: dict[str, str], media_type: str | None = None) -> Response:
    """Return the file at `path` (ranges included), or 304 to one who already has it. Raises OSError."""
    file = FileResponse(path, headers=headers, media_type=media_type, stat_result=path.stat())
    if asking.get("if-none-match") == file.headers["etag"]:
        return Response(status_code=304, headers={**headers, "ETag": file.headers["etag"]})
    return file

"""`/`: links to everything else."""

from fastapi import APIRouter, Request

from api.http.schemas import View

router = APIRouter(include_in_schema=False)


class Root(View):
    docs: str
    openapi: str
    health: str
    ready: str
    problems: str


@router.get("/")
async def root(request: Request) -> Root:
    base = request.app.state.settings.public_url
    return Root(
        docs=f"{base}/docs",
        openapi=f"{base}/openapi.json",
        health=f"{base}/health",
        ready=f"{base}/ready",
        problems=f"{base}/problems",
    )

"""`python -m devstack.issuer`: the issuer of a development stack, on loopback."""

from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from devstack.issuer.app import Issuer, issuer_app
from devstack.issuer.people import people, services
from devstack.issuer.signer import A_DAY_OF_WORK, Signer
from devstack.ports import HOST


def serve(
    port: Annotated[int, typer.Option()],
    key: Annotated[Path, typer.Option(help="The private key, as PEM.")],
) -> None:
    """Hand out tokens to the people of the development stack."""
    signer = Signer.load(f"http://{HOST}:{port}/", key)
    app = issuer_app(Issuer(signer, people() | services(), A_DAY_OF_WORK))
    uvicorn.run(app, host=HOST, port=port, log_level="info", access_log=False)


if __name__ == "__main__":
    typer.run(serve)

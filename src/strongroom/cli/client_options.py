"""What the commands under `strongroom client` have in common."""

from pathlib import Path
from typing import Annotated

import typer

ProductOption = Annotated[
    str | None,
    typer.Option("--for", metavar="PRODUCT", help="Write the files that a product wants, too."),
]
TenantOption = Annotated[
    str | None, typer.Option("--tenant", metavar="TENANT", help="The tenant that the client is in.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The client's name.")]


def finish(profile: Path, product: str | None, name: str) -> None:
    """Print where the profile is, after the bundle of a product."""
    if product is not None:
        from strongroom.client.profile import load_profile
        from strongroom.server.address import parse_address
        from strongroom.server.clients.bundles import find_product, write_bundle

        servers = load_profile(profile).servers
        if not servers:
            raise typer.BadParameter("products speak KMIP over TLS, which is off; set listen first")
        told = write_bundle(
            find_product(product), profile.parent, client=name, server=parse_address(servers[0])
        )
        print(told)
    print(profile)

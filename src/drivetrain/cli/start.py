"""``init``: a project folder that runs at once."""

from __future__ import annotations

from pathlib import Path

import click

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--pack", default="risk", show_default=True, help="The use case to start from.")
@command("drivetrain init my-risk --pack risk")
def init(door: Door, folder: Path, pack: str) -> None:
    """Make a project FOLDER from a pack: the project file, the feature SQL, and two identities for this laptop."""
    from drivetrain.engine.create import create_project

    project = create_project(folder, pack, door.settings)
    if door.json:
        print_json({"project": project.spec.project, "folder": project.home, "actors": list(project.actors)})
        return
    out.print(f"[green]✓[/] {project.spec.project} in {folder}")
    out.print(f"  identities for this laptop: {', '.join(project.actors)} (`drivetrain actors add` enters real people)")
    out.print(f"[bold]next:[/] cd {folder}; drivetrain run")

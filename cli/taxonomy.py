"""`taxonomy`: show, check and change the list of categories."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from cli.organize import Json
from cli.output import emit_json, err, fail, out
from models.domain.errors import FileOrganizerError
from models.domain.taxonomy import COARSE_NAMES, Category, Taxonomy, Topic
from models.domain.taxonomy_document import document_of
from models.domain.taxonomy_edits import added, removed, renamed, reprompted
from models.settings import Settings
from tasks.categorize.taxonomy import load_taxonomy, own_copy, read_taxonomy, save_taxonomy

Name = Annotated[str, typer.Argument(help="Category, or Category/Sub-category.")]
Prompts = Annotated[
    list[str] | None, typer.Option("--prompt", help="How its texts speak; repeatable.")
]
ImagePrompts = Annotated[
    list[str] | None, typer.Option("--image-prompt", help="How its pictures look; repeatable.")
]


def show(
    prompts: Annotated[bool, typer.Option("--prompts", help="With the prompts.")] = False,
    as_json: Json = False,
) -> None:
    """Show the categories, what they roll up to, and their sub-categories."""
    try:
        taxonomy = load_taxonomy(Settings())
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json(document_of(taxonomy))
        return
    budget = "" if taxonomy.budget is None else f", at most {taxonomy.budget} sub-folders each"
    tree = Tree(f"[bold]{len(taxonomy.all_categories)} categories[/]{budget}")
    for category in taxonomy.all_categories:
        branch = tree.add(f"[bold]{escape(category.name)}[/]  [dim]{category.coarse}[/]")
        _show_category(branch, category, prompts=prompts)
    out.print(tree)


def _show_category(branch: Tree, category: Category, *, prompts: bool) -> None:
    if not prompts:
        branch.add(escape(", ".join(each.name for each in category.subcategories)) or "none")
        return
    for topic in (category.topic, *category.subcategories):
        sentences = branch.add(escape(topic.name))
        for sentence in (*topic.prompts, *(f"picture: {each}" for each in topic.image_prompts)):
            sentences.add(f"[dim]{escape(sentence)}[/]")


def edit_path() -> None:
    """Print the path of your taxonomy, made from the one that comes along where there is none."""
    try:
        typer.echo(own_copy(Settings()))
    except FileOrganizerError as error:
        fail(error, as_json=False)


def check(
    file: Annotated[Path | None, typer.Argument(help="Yours when not given.")] = None,
    as_json: Json = False,
) -> None:
    """Say whether a taxonomy can be used, and everything that is wrong with it."""
    try:
        taxonomy = load_taxonomy(Settings()) if file is None else read_taxonomy(file)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    below = sum(len(each.subcategories) for each in taxonomy.all_categories)
    counts = {"categories": len(taxonomy.all_categories), "subcategories": below}
    if as_json:
        emit_json({"is_usable": True, **counts})
    else:
        out.print(f"usable: {counts['categories']} categories, {below} sub-categories")


def _change(change: Callable[[Taxonomy], Taxonomy]) -> None:
    settings = Settings()
    try:
        path = save_taxonomy(change(load_taxonomy(settings)), settings)
    except FileOrganizerError as error:
        fail(error, as_json=False)
    err.print(f"written: {path}", markup=False, soft_wrap=True)


def rename(name: Name, to: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Give a folder another name; corrections and rules go on to mean it."""
    _change(lambda taxonomy: renamed(taxonomy, name, to))


def add(
    name: Name,
    coarse: Annotated[
        str, typer.Option(help=f"Of a category: {', '.join(COARSE_NAMES)}.")
    ] = "Documents",
    prompt: Prompts = None,
    image_prompt: ImagePrompts = None,
) -> None:
    """Add a category or a sub-category."""
    topic = Topic(name=name, prompts=tuple(prompt or ()), image_prompts=tuple(image_prompt or ()))
    _change(lambda taxonomy: added(taxonomy, name, coarse, topic))


def remove(
    name: Name,
    into: Annotated[str | None, typer.Option(help="Category that takes its files.")] = None,
) -> None:
    """Remove a category (its files go to --into, or to review) or a sub-category."""
    _change(lambda taxonomy: removed(taxonomy, name, into))


def prompts(name: Name, prompt: Prompts = None, image_prompt: ImagePrompts = None) -> None:
    """Describe a category anew; these sentences take the place of those before."""
    sentences = tuple(prompt or ()), tuple(image_prompt or ())
    _change(lambda taxonomy: reprompted(taxonomy, name, *sentences))


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Show, check and change the categories.")
    group.command("show")(show)
    group.command("edit-path")(edit_path)
    group.command("check")(check)
    group.command("rename")(rename)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("prompts")(prompts)
    app.add_typer(group, name="taxonomy")

# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The dashboards as marimo lays them out: filters above, one page below. Run mode only."""

import marimo

app = marimo.App(width="full", app_title="FileOrganizer dashboards", css_file="board.css")


@app.cell
def _():
    import marimo as mo

    from dashboards.analytics import frame

    refresh = mo.ui.button(label="Refresh", value=0, on_click=lambda clicks: clicks + 1)
    tabs = mo.ui.tabs(dict.fromkeys(frame.PAGES, ""))
    return frame, mo, refresh, tabs


@app.cell
def _(frame, refresh):
    refresh.value  # noqa: B018 - a click reads the warehouse again
    board = frame.opened()
    return (board,)


@app.cell
def _(board, frame):
    root, days = frame.root_filter(board), frame.days_filter(board)
    return days, root


@app.cell
def _(board, days, frame, mo, refresh, root, tabs):
    mo.Html(frame.header(board, root, days, refresh, tabs))
    return


@app.cell
def _(board, days, frame, mo, root, tabs):
    mo.Html(frame.page(tabs.value, board, root.value, days.value))
    return


if __name__ == "__main__":
    app.run()

"""Figures of classifiers: accuracy by category, calibration, risk and coverage, and a picture."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
BINS = 10


def top(scores: Scores, labels: NDArray[np.intp], count: int) -> float:
    """Return the share of texts whose category is among the likeliest; categories weigh alike."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    is_found = (order == labels[:, None]).any(axis=1)
    return float(np.mean([is_found[labels == kind].mean() for kind in np.unique(labels)]))


def calibration_error(probabilities: Scores, labels: NDArray[np.intp]) -> float:
    """Return the expected calibration error of the likeliest categories."""
    return binned_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)


def binned_error(sure: Scores, is_right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error in ten bins (Guo et al. 2017, section 2)."""
    error = 0.0
    for low in np.arange(BINS) / BINS:
        inside = (sure > low) & (sure <= low + 1 / BINS)
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - is_right[inside].mean())
    return float(error)


def risk_coverage(probabilities: Scores, labels: NDArray[np.intp]) -> list[tuple[float, float]]:
    """Return (share decided, share of those wrong), the surest first."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order].cumsum()
    count = np.arange(1, len(order) + 1)
    return list(zip((count / len(order)).tolist(), (wrong / count).tolist(), strict=True))


def at_threshold(
    probabilities: Scores, labels: NDArray[np.intp], below: float
) -> tuple[float, float]:
    """Return the share decided at a threshold, and the share of those that are wrong."""
    decided = probabilities.max(axis=1) >= below
    wrong = (probabilities.argmax(axis=1) != labels)[decided]
    return float(decided.mean()), float(wrong.mean()) if decided.any() else 0.0


def picture(curves: dict[str, list[tuple[float, float]]]) -> str:
    """Return risk-coverage curves as SVG."""
    width, height, left, low = 640, 360, 60, 310
    colors = ("#0b6e99", "#c4532d", "#4d8a3a", "#7a4a9e")
    top_risk = max(risk for curve in curves.values() for _, risk in curve) or 1.0
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<path d="M{left},20 V{low} H620" fill="none" stroke="#444"/>',
    ]
    for n in range(6):
        x, y = left + n * 112, low - n * 56
        parts.append(f'<text x="{x}" y="{low + 18}" text-anchor="middle">{n * 20} %</text>')
        parts.append(
            f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{n * top_risk * 20:.0f} %</text>'
        )
    for n, (name, curve) in enumerate(curves.items()):
        color = colors[n % len(colors)]
        points = " ".join(
            f"{left + share * 560:.1f},{low - risk / top_risk * 280:.1f}" for share, risk in curve
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 14}" y="{36 + 16 * n}" fill="{color}">{name}</text>')
    parts.append(f'<text x="340" y="{height - 8}" text-anchor="middle">share decided</text>')
    parts.append(
        '<text x="16" y="170" text-anchor="middle" transform="rotate(-90 16 170)">'
        "share of those wrong</text></svg>"
    )
    return "\n".join(parts) + "\n"

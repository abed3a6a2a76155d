"""The two themes: one for a bright hall, one for a dim booth.

Every pair of text and ground in here keeps a contrast of 4.5 to 1 or better (WCAG
2.2, 1.4.3); a test computes it. Colour only repeats what a word and a symbol say.
"""

from __future__ import annotations

from textual.theme import Theme

LIGHT = Theme(
    name="raseed-light",
    dark=False,
    primary="#0B5C66",
    secondary="#8A5A12",
    accent="#0B5C66",
    foreground="#17242B",
    background="#F4F1EA",
    surface="#FFFFFF",
    panel="#E6E0D3",
    success="#17653A",
    warning="#7A4B00",
    error="#A3211B",
    variables={
        "muted": "#51606A",
        "hairline": "#B9B29F",
        "masthead-ground": "#0B4A53",
        "masthead-text": "#F4F1EA",
        "masthead-muted": "#BFD5D6",
        "paid-ground": "#D9EEDF",
        "paid-text": "#0E4A29",
        "refused-ground": "#F8DEDA",
        "refused-text": "#7E1712",
        "unknown-ground": "#FBE7BF",
        "unknown-text": "#5C3A00",
        "footer-background": "#DAD3C3",
        "footer-foreground": "#17242B",
        "footer-description-foreground": "#17242B",
        "footer-key-foreground": "#0B4A53",
        "cap-ground": "#0B5C66",
        "cap-text": "#FFFFFF",
        "input-cursor-background": "#0B5C66",
        "input-cursor-foreground": "#FFFFFF",
        "input-selection-background": "#0B5C66 30%",
        "block-cursor-background": "#0B5C66",
        "block-cursor-foreground": "#FFFFFF",
        "button-color-foreground": "#FFFFFF",
        "button-focus-text-style": "bold",
    },
)

DARK = Theme(
    name="raseed-dark",
    dark=True,
    primary="#4FC3C7",
    secondary="#E0B264",
    accent="#E0B264",
    foreground="#E8EEF0",
    background="#0E181E",
    surface="#16242C",
    panel="#20333D",
    success="#7FD79A",
    warning="#F2BC5B",
    error="#FF8A80",
    variables={
        "muted": "#9FB2BA",
        "hairline": "#3A525E",
        "masthead-ground": "#0A3A42",
        "masthead-text": "#F2F6F6",
        "masthead-muted": "#A9CACC",
        "paid-ground": "#12402A",
        "paid-text": "#B6F2C8",
        "refused-ground": "#4A1A1A",
        "refused-text": "#FFC9C4",
        "unknown-ground": "#4A3608",
        "unknown-text": "#FFE0A0",
        "footer-background": "#1A2A33",
        "footer-foreground": "#E8EEF0",
        "footer-description-foreground": "#E8EEF0",
        "footer-key-foreground": "#4FC3C7",
        "cap-ground": "#4FC3C7",
        "cap-text": "#0E181E",
        "input-cursor-background": "#4FC3C7",
        "input-cursor-foreground": "#0E181E",
        "input-selection-background": "#4FC3C7 35%",
        "block-cursor-background": "#4FC3C7",
        "block-cursor-foreground": "#0E181E",
        "button-color-foreground": "#0E181E",
        "button-focus-text-style": "bold",
    },
)

THEMES = (DARK, LIGHT)

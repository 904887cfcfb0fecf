"""The one form of the posts."""

import re

from django import forms

LONGEST_POST = 10_000  # characters, a line break counting as one


class PostField(forms.CharField):
    def to_python(self, value: str | None) -> str:
        """Browsers send a line break as CR LF; it is stored, and counted, as typed."""
        return re.sub(r"\r\n?", "\n", super().to_python(value))

    def widget_attrs(self, widget: forms.Widget) -> dict[str, object]:
        """Browsers count an emoji as two; they must not cut off what the server takes."""
        return {"maxlength": 2 * LONGEST_POST}


class PostForm(forms.Form):
    content = PostField(
        label="Your post",
        help_text=f"Up to {LONGEST_POST:,} characters. It is shown as you type it.",
        max_length=LONGEST_POST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "autofocus": True}),
        error_messages={
            "required": "Write something first.",
            "max_length": "That is %(show_value)d characters; %(limit_value)d is the most.",
        },
    )

    def clean_content(self) -> str:
        content = self.cleaned_data["content"]
        if not content.strip():
            raise forms.ValidationError(self.fields["content"].error_messages["required"])
        return content

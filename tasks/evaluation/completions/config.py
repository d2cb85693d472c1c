"""What is asked of completions: how many prompts, and how they are drawn."""

from pydantic import Field

from tasks.generation.completion.config import CompletionConfig


class CompletePromptsConfig(CompletionConfig):
    """Functions of held-out files, completed from their signature and docstring."""

    prompts: int = Field(200, ge=1, description="functions that are completed, chosen by their digest")
    per_file: int = Field(2, ge=1, description="functions of one file at most")
    prompt_characters: int = Field(400, ge=20, description="characters of a prompt at most")
    order: int = Field(5, ge=1, le=7, description="tokens of the n-grams that stand beside the models")
    examples: int = Field(3, ge=0, description="prompts that are shown with what was made of them")
    parse_seconds: int = Field(10, ge=1, description="CPU seconds that reading one text as Python may take")

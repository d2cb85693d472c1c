"""The sizes of a run: those that were asked, and what the data makes of them."""

from pydantic import Field

from tasks.formats.asked import Asked


class GivenSizes(Asked):
    """Sizes that were set by hand; None is for the data to choose."""

    max_length: int | None = None
    teacher_epochs: int | None = None
    student_epochs: int | None = None
    student_layers: int | None = None
    intermediate_size: int | None = None
    vocabulary_size: int | None = None
    augmented_copies: int | None = None


class Plan(Asked):
    """Sizes of a run, given or chosen, and the time they are going to take."""

    max_length: int = Field(description="tokens a text is cut to")
    teacher_epochs: int
    student_epochs: int
    student_layers: int
    intermediate_size: int
    vocabulary_size: int
    augmented_copies: int
    seconds: float = Field(description="estimate for the stages from the teacher on, two cores")

"""What generated code may use, and how much of it runs at once."""

from pydantic import Field

from tasks.formats.asked import Asked


class ExecutionConfig(Asked):
    """The limits of a sample; the other side of its sandbox, the test, has the same."""

    seconds: int = Field(
        5,
        ge=1,
        le=600,
        description="CPU seconds of a sample; by the clock it has three times that, from when it begins",
    )
    memory_mb: int = Field(512, ge=64, le=65_536, description="MB of address space of each of its processes")
    processes: int = Field(
        8, ge=3, le=1_000, description="its processes and threads together; the first two are the sandbox's"
    )
    files_mb: int = Field(
        16, ge=1, le=4_096, description="MB of its /tmp, which is memory, and of any file in it"
    )
    open_files: int = Field(64, ge=16, le=1_024, description="files that each of its processes may have open")
    output_kb: int = Field(256, ge=1, le=65_536, description="kB that it may print before it is ended")
    jobs: int = Field(
        1, ge=1, le=256, description="samples that run at once", json_schema_extra={"key": "ignore"}
    )

"""What a model writes, greedily: asked for in a process of its own, which keeps the model between the calls."""

import sys
from functools import cache
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tasks.training.precision import computes_in_bf16
from tests.benchmarks.known_model_files import LIBRARY

# Where EvalPlus ends an answer of a chat model: its block is over, or goes on with what is no solution.
ENDS = ["```", "\nif __name__", "\ndef main(", "\nprint("]
# How Qwen asks: QwenLM/Qwen2.5-Coder, qwencoder-eval/instruct/eval_plus/convert_data.py. The answer is begun for the model.
SYSTEM = "You are an intelligent programming assistant to produce Python algorithmic solutions"
QUESTION = "Can you complete the following Python function?\n```python\n{prompt}\n```"
BEGUN = "```python\n"


@cache
def opened(file: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a GGUF file, its weights in bfloat16 where the machine computes in it, and its tokenizer.

    transformers reads it by the library that lies beside the file.
    """
    sys.path.append(str(file.parent / LIBRARY))
    dtype = torch.bfloat16 if computes_in_bf16(torch.device("cpu")) else torch.float32
    given = {"gguf_file": file.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, padding_side="left", **given)
    plain = GgufConfig(gguf_file=file.name, dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(file.parent, dtype=dtype, quantization_config=plain, **given)
    return model.eval(), tokenizer


def write(file: Path, prompts: list[str], most_tokens: int) -> list[str]:
    """Each answer, from behind its beginning; all prompts are one batch, with a cache of keys and values."""
    model, tokenizer = opened(file)
    asked = tokenizer([chat(tokenizer, prompt) for prompt in prompts], return_tensors="pt", padding=True)
    with torch.inference_mode():
        written = model.generate(
            **asked,
            do_sample=False,
            max_new_tokens=most_tokens,
            stop_strings=ENDS,
            tokenizer=tokenizer,
        )
    made = written[:, asked["input_ids"].shape[1] :]
    return list(tokenizer.batch_decode(made, skip_special_tokens=True))


def chat(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """The question by the model's own template, and the beginning of the answer."""
    said = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION.format(prompt=prompt.strip())},
    ]
    return str(tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)) + BEGUN

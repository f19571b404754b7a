"""What OpenRouter and OpenAI refuse, one small function per rule.

A rule looks at the body and raises an `ApiError` or does nothing. The order is OpenRouter's:
mostly what it checks itself, then what it leaves to the provider. A rule may rely on those
before it. Unsupported sampling parameters (`temperature`, `top_p`, …) have no rule, because
o-series models accept and ignore them; a null stands for an absent parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.rules import messages, parameters, tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator.json_value import JsonObject

__all__ = ["RULES", "check"]

RULES: tuple[Callable[[JsonObject], None], ...] = (
    parameters.types_are_right,
    parameters.model_is_known,
    messages.messages_are_given,
    messages.roles_are_known,
    messages.contents_are_given,
    messages.parts_are_known,
    messages.lists_have_objects,
    messages.tool_calls_are_whole,
    parameters.input_is_supported,
    parameters.provider_is_allowed,
    parameters.context_is_long_enough,
    parameters.words_are_known,
    parameters.conditions_are_known,
    parameters.metadata_is_small,
    parameters.session_id_is_short,
    parameters.effort_is_known,
    parameters.reasoning_is_asked_once,
    parameters.effort_is_supported,
    parameters.token_limit_is_large_enough,
    messages.tool_call_ids_are_short,
    messages.names_of_calls_are_valid,
    messages.tool_messages_answer_calls,
    messages.reasoning_is_given_once,
    messages.reasoning_is_unaltered,
    tools.tools_are_functions_or_server_tools,
    tools.tools_are_few,
    tools.function_names_are_valid,
    tools.function_names_are_unique,
    tools.parameters_are_schemas,
    tools.tool_choice_is_possible,
    tools.response_format_is_known,
    tools.json_is_mentioned,
    tools.schema_name_is_valid,
    tools.schema_is_valid,
)


def check(body: JsonObject) -> None:
    """Refuse a request that breaks a rule.

    Raises:
        ApiError: The first broken rule's.
    """
    for rule in RULES:
        rule(body)

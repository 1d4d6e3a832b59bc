"""SAM into CloudFormation, by aws-sam-translator and offline.

Apart from what reads templates, since its import takes longer than the work of most tasks. May not decide
anything about a template: that is the domain's (tidegate.domain.templates).
"""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Any

import boto3
from samtranslator.metrics.metrics import DummyMetricsPublisher, Metrics
from samtranslator.model.exceptions import ExceptionWithMessage, InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.utils.py27hash_fix import to_py27_compatible_template, undo_mark_unicode_str_in_template

from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.templates.intrinsics import copy
from tidegate.domain.templates.literals import UNKNOWN
from tidegate.domain.templates.template import SAM_TRANSFORM, properties_of
from tidegate.domain.templates.tree import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.domain.templates.template import Template

_translating = threading.Lock()  # the translator keeps its region in a class attribute


def translate(template: Template, parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """The CloudFormation template of a SAM template; of a plain one, a copy as it stands.

    Local paths must have been placed before. Raises InvalidTemplate with the first resource's line and every
    cause that the translator names.
    """
    if not template.is_serverless:
        _check_plain(template)
        return {key: value for key, value in copy(template.data).items() if key != "Transform"}
    for logical_id, resource in template.of_type(APPLICATION):
        if not isinstance(properties_of(resource).get("Location"), str):
            # The translator would call AWS for these.
            message = f"{logical_id} is an application of the repository"
            raise UnsupportedTemplate(message, **template.place_of(logical_id))
    hidden = {name for name, value in parameters.items() if value == UNKNOWN}
    with _translating:
        try:
            given = {name: value for name, value in parameters.items() if name not in hidden}
            translated = _translate(_hide_defaults(template, hidden), given, region)
            return translated | ({"Parameters": copy(template.data["Parameters"])} if hidden else {})
        except InvalidDocumentException as error:
            raise _invalid(template, error.causes) from None
        except ExceptionWithMessage as error:
            raise _invalid(template, [error]) from None
        except (AttributeError, KeyError, TypeError, ValueError, IndexError, AssertionError) as error:
            raise InvalidTemplate(
                f"the SAM translator cannot read this template ({type(error).__name__}: {error})",
                file=template.file,
            ) from error


def _hide_defaults(template: Template, hidden: set[str]) -> dict[str, Any]:
    """A copy of the data, since the translator would take the default for the value of such a parameter."""
    data: dict[str, Any] = copy(template.data)
    for name in hidden & (data.get("Parameters") or {}).keys():
        data["Parameters"][name].pop("Default", None)
    return data


def _translate(data: dict[str, Any], parameters: dict[str, Any], region: str) -> dict[str, Any]:
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of switches that only AWS can set
    session = boto3.Session(region_name=region)
    metrics = Metrics("Tidegate", DummyMetricsPublisher())
    # Logical ids of API deployments are hashes over Python 2 representations; without this they would differ
    # from those of a stack that was deployed by SAM itself.
    to_py27_compatible_template(data, parameters)
    try:
        translated = Translator(None, Parser(), boto_session=session, metrics=metrics).translate(
            data, parameters
        )
    finally:
        metrics.publish()
    plain: dict[str, Any] = copy(undo_mark_unicode_str_in_template(translated))
    return plain


def _check_plain(template: Template) -> None:
    for logical_id, resource in template.resources.items():
        if str(resource.get("Type")).startswith("AWS::Serverless::"):
            raise InvalidTemplate(
                f"{logical_id} is a {resource['Type']}, but the template has no 'Transform: {SAM_TRANSFORM}'",
                **template.place_of(logical_id),
            )


def _invalid(template: Template, causes: Any) -> InvalidTemplate:  # noqa: ANN401
    messages = [str(cause.message) for cause in causes]
    named = [found for message in messages for found in re.findall(r"\[([A-Za-z0-9]+)\]", message)]
    line = next((template.lines[name] for name in named if name in template.lines), 0)
    return InvalidTemplate("; ".join(messages), file=template.file, line=line)

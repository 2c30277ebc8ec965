"""Small cases of our own, written as the OASIS files are."""

from pathlib import Path

HEADER = """
  <RequestHeader>
    <ProtocolVersion>
      <ProtocolVersionMajor type="Integer" value="1"/>
      <ProtocolVersionMinor type="Integer" value="4"/>
    </ProtocolVersion>
    <BatchCount type="Integer" value="1"/>
  </RequestHeader>"""
ANSWER_HEADER = HEADER.replace("Request", "Response").replace(
    "<BatchCount", '<TimeStamp type="DateTime" value="$NOW"/><BatchCount'
)


def request(operation: str, payload: str = "", *, header: str = HEADER) -> str:
    return (
        f"<RequestMessage>{header}<BatchItem>"
        f'<Operation type="Enumeration" value="{operation}"/>'
        f"<RequestPayload>{payload}</RequestPayload></BatchItem></RequestMessage>"
    )


def answer(operation: str, payload: str = "", *, header: str = ANSWER_HEADER) -> str:
    return (
        f"<ResponseMessage>{header}<BatchItem>"
        f'<Operation type="Enumeration" value="{operation}"/>'
        '<ResultStatus type="Enumeration" value="Success"/>'
        f"<ResponsePayload>{payload}</ResponsePayload></BatchItem></ResponseMessage>"
    )


def refusal(operation: str, reason: str) -> str:
    return (
        f"<ResponseMessage>{ANSWER_HEADER}<BatchItem>"
        f'<Operation type="Enumeration" value="{operation}"/>'
        '<ResultStatus type="Enumeration" value="OperationFailed"/>'
        f'<ResultReason type="Enumeration" value="{reason}"/></BatchItem></ResponseMessage>'
    )


def identifier(name: str = "$UNIQUE_IDENTIFIER_0") -> str:
    return f'<UniqueIdentifier type="TextString" value="{name}"/>'


CREATE = """
  <ObjectType type="Enumeration" value="SymmetricKey"/>
  <TemplateAttribute>
    <Attribute>
      <AttributeName type="TextString" value="Cryptographic Algorithm"/>
      <AttributeValue type="Enumeration" value="AES"/>
    </Attribute>
  </TemplateAttribute>"""
CREATED = '<ObjectType type="Enumeration" value="SymmetricKey"/>' + identifier()
LIFE = (
    request("Create", CREATE),
    answer("Create", CREATED),
    request("Destroy", identifier()),
    answer("Destroy", identifier()),
)


def write_case(folder: Path, *parts: str, name: str = "XX-M-1-14", group: str = "mandatory") -> Path:
    """Write a case file as OASIS lays them out; return its path."""
    path = folder / "v1.4" / group / f"{name}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<KMIP>\n" + "\n".join(parts) + "\n</KMIP>\n", encoding="utf-8")
    return path

"""Run by the environment ``psrp``: the asynchronous client of pypsrp 1.0.0b1, which has a WSMan of its own.

Takes what it needs as JSON on standard input, and prints what it saw as JSON.
"""

import asyncio
import json
import sys

import psrp


async def converse(given):
    connection = psrp.WSManInfo(
        given["url"],
        auth=given["auth"],
        username=given["username"],
        password=given["password"],
        verify=given["ca"],
        encryption=given["encryption"],
        configuration_name=given["configuration"],
    )
    async with psrp.AsyncRunspacePool(connection) as pool:
        seen = []
        for command, parameters in given["commands"]:
            pipeline = psrp.AsyncPowerShell(pool)
            pipeline.add_command(command)
            pipeline.add_parameters(**parameters)
            try:
                output = [str(item) for item in await pipeline.invoke()]
            except psrp.PipelineFailed as failed:
                seen.append({"failed": str(failed)})
            else:
                seen.append({"output": output, "errors": [str(error) for error in pipeline.streams.error]})
    return seen


def main():
    given = json.load(sys.stdin)
    try:
        seen = asyncio.run(converse(given))
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is asked
        seen = {"raised": type(error).__name__, "text": str(error)}
    json.dump(seen, sys.stdout)


main()

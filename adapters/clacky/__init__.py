"""OpenClacky's sessions, read and written.

Root: ``$HOME/.clacky`` and nothing else; the tool knows no environment variable for it.

    sessions/<date>-<time>-<id8>.json          one session, from 0.6.0 on
    sessions/<date>_<id8>.json                 the same, 0.5
    sessions/<same base>-chunk-<N>.md          what compaction took out of it, from 0.8.1 on
    trash/sessions-trash/<same names>          deleted ones, from 1.1.6 on; with ``deleted_at``
    clacky-session-<id8>.zip                   export of one: session.json, its chunks, a log

Date and time are those of ``created_at`` in its own offset, id8 the first 8 characters of
``session_id`` (a UUID up to 0.8.8, then 16 hexadecimal digits). There is no index, no lock and
no version field.

The session object: ``session_id, name, pinned, created_at, updated_at`` (ISO 8601 with offset)
``, working_dir, source, agent_profile, todos[], time_machine, config, stats, messages[]``.
``config.models[]`` of 0.7.1 to 0.9.5 holds API keys in clear: see `adapters.clacky.header`.

A message is OpenAI's chat message (`adapters.clacky.messages`) with flags of the tool's own. What
no person and no model said is flagged ``system_injected`` in newer versions and known by its text
in older ones (`adapters.clacky.injected`). An archive is Markdown without ids and times, with
tool results cut at 500 characters (`adapters.clacky.archive`); how it is joined to what is left
stands in `adapters.clacky.story`.

Sessions of other tools are written by `adapters.clacky.encode`, its own by `adapters.clacky.own`.

Known from the code of 0.5.0 to 0.9.19 and of 1.5.1, and from stores that 0.5.0, 0.7.0, 0.9.19
and 1.5.1 wrote: session_manager.rb, agent/session_serializer.rb, agent/message_compressor*.rb,
agent/time_machine.rb, message_history.rb, server/http_server.rb (export).
"""

from adapters.clacky.adapter import Clacky

__all__ = ["Clacky"]

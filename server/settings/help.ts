/** What is printed of the settings: `--help`, `--help=TOPIC`, SETTINGS.md. */
import { ACCEPTED } from "./accepted.ts";
import { buildCommand, type Output, shownDefault } from "./command-line.ts";
import { SettingsError } from "./error.ts";
import { ROWS, unsupported } from "./flags.ts";
import { REFUSED } from "./refused.ts";
import type { Row } from "./row.ts";

/** `--help=all`, `--help=Engine`, `--help=max-num-seqs`. */
export function helpOn(topic: string, output: Output): string {
  if (topic === "all") return buildCommand(output).helpInformation();
  const name = topic.replace(/^--/, "").replaceAll("_", "-");
  const found = ROWS.filter(
    ([flag, row]) => flag === name || row.group.toLowerCase() === topic.toLowerCase(),
  );
  if (found.length > 0) {
    return found
      .map(([flag, row]) => {
        const parts = [`(default: ${shownDefault(row) || "none"})`, row.env && `(env: ${row.env})`];
        return `${plainSpelling(flag, row)}\n    ${[row.sentence, ...parts].filter(Boolean).join(" ")}\n`;
      })
      .join("");
  }
  const why = unsupported(name)?.why;
  if (why !== undefined) {
    const kind = Object.hasOwn(REFUSED, name) ? "Not supported" : "Without effect";
    return `--${name}\n    ${kind}: ${why}.\n`;
  }
  const groups = [...new Set(ROWS.map(([, row]) => row.group))].join(", ");
  throw new SettingsError(`--help=${topic}: neither a flag nor a group; groups: ${groups}.`);
}

/** SETTINGS.md. */
export function settingsTable(): string {
  const lines = ["# Settings", "", "Printed from `server/settings/`; a test compares."];
  for (const group of new Set(ROWS.map(([, row]) => row.group))) {
    lines.push("", `## ${group}`, "", "| flag | default | meaning |", "|---|---|---|");
    for (const [flag, row] of ROWS) {
      if (row.group !== group) continue;
      const env = row.env ? ` (env ${row.env})` : "";
      lines.push(
        `| \`${plainSpelling(flag, row).replaceAll("|", "\\|")}\` | ${shownDefault(row)} | ${row.sentence.replaceAll("|", "\\|")}${env} |`,
      );
    }
  }
  const rest = (title: string, flags: typeof ACCEPTED) => {
    lines.push("", `## ${title}`, "", "| flag | why |", "|---|---|");
    for (const [flag, { why, short }] of Object.entries(flags)) {
      const spelling = short === undefined ? `\`--${flag}\`` : `\`--${flag}, ${short}\``;
      lines.push(`| ${spelling} | ${why} |`);
    }
  };
  rest("Flags of vLLM taken with a warning", ACCEPTED);
  rest("Flags of vLLM that are refused", REFUSED);
  return `${lines.join("\n")}\n`;
}

function plainSpelling(flag: string, row: Row<unknown>): string {
  const short = row.short === undefined ? "" : `, ${row.short}`;
  return row.value === undefined ? `--${flag}${short}` : `--${flag} ${row.value}${short}`;
}

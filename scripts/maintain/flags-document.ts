/** scripts/commands/FLAGS.md, printed from the commands' tables: `tsx scripts/maintain/flags-document.ts`. */
import { writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BENCH_FLAGS } from "../commands/bench/rows.ts";
import { CALIBRATE_FLAGS } from "../commands/calibrate/main.ts";
import { CHAT_FLAGS } from "../commands/chat.ts";
import { COMPARE_FLAGS } from "../commands/compare/main.ts";
import { EVAL_FLAGS } from "../commands/eval/main.ts";
import { type FlagTable, shownDefault } from "../commands/flags.ts";
import { LORA_FLAGS } from "../commands/lora.ts";
import { MODELS_FLAGS } from "../commands/models.ts";
import { OPEN_FLAGS } from "../commands/open.ts";
import { PLAN_FLAGS } from "../commands/plan/flags.ts";
import { PROFILE_FLAGS } from "../commands/profile.ts";
import { PULL_FLAGS } from "../commands/pull.ts";
import { REPLAY_FLAGS } from "../commands/replay/main.ts";
import { RUN_BATCH_FLAGS } from "../commands/run-batch.ts";
import { STUDY_FLAGS } from "../commands/study/main.ts";
import { SWEEP_FLAGS } from "../commands/sweep/flags.ts";
import { VALIDATE_FLAGS } from "../commands/validate/main.ts";

export const COMMAND_TABLES: Readonly<Record<string, FlagTable>> = {
  "trainyard sweep": SWEEP_FLAGS,
  "trainyard plan": PLAN_FLAGS,
  "trainyard bench serve": BENCH_FLAGS,
  "trainyard bench replay": REPLAY_FLAGS,
  "trainyard profile": PROFILE_FLAGS,
  "trainyard eval": EVAL_FLAGS,
  "trainyard compare": COMPARE_FLAGS,
  "trainyard open": OPEN_FLAGS,
  "trainyard calibrate": CALIBRATE_FLAGS,
  "trainyard chat": CHAT_FLAGS,
  "trainyard pull": PULL_FLAGS,
  "trainyard lora": LORA_FLAGS,
  "trainyard models": MODELS_FLAGS,
  "trainyard study": STUDY_FLAGS,
  "trainyard validate": VALIDATE_FLAGS,
  "trainyard run-batch": RUN_BATCH_FLAGS,
};

export function flagsDocument(): string {
  const lines = [
    "# Flags of the commands",
    "",
    "Printed from their tables; a test compares. Flags of `serve`: server/SETTINGS.md; `run-batch` takes those beside its own, and `health` takes them alone.",
  ];
  for (const [command, table] of Object.entries(COMMAND_TABLES)) {
    lines.push("", `## ${command}`);
    const groups = new Set(Object.values(table).map(({ group }) => group));
    for (const group of groups) {
      lines.push("", `${group}:`, "", "| flag | default | meaning |", "|---|---|---|");
      for (const [flag, row] of Object.entries(table)) {
        if (row.group !== group) continue;
        const off = row.value === undefined && row.default === true;
        const usage = row.value === undefined ? "" : ` ${row.value}${row.many ? "…" : ""}`;
        const notes = [
          row.sentence,
          ...(row.env === undefined ? [] : [`(env ${row.env})`]),
          ...(row.secret === true ? ["(secret)"] : []),
        ];
        lines.push(
          `| \`--${off ? "no-" : ""}${flag}${usage.replaceAll("|", "\\|")}\` | ${shownDefault(row)} | ${notes.join(" ").trim().replaceAll("|", "\\|")} |`,
        );
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(fileURLToPath(new URL("../commands/FLAGS.md", import.meta.url)), flagsDocument());
}

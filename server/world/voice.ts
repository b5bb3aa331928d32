/**
 * Who speaks decides how the text is read. On a simulated machine the time is the
 * named model's; tool calls, thought and the end of a text are those of the model
 * whose words come out.
 */
import { resolve } from "node:path";
import type { Model } from "../../models/model.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import type { Settings } from "../settings/table.ts";

export interface Voice {
  /** With the parsers of whoever speaks. */
  readonly settings: Settings;
  /** Output ids after which a grammar takes the shortest way out; absent: never. */
  readonly closeAfter?: number;
  /** What was asked for and is not done, in a line each. */
  readonly notes: readonly string[];
}

/** The embedded models were taught Hermes' calls, and no thought. */
const EMBEDDED = { parser: "hermes" } as const;

/**
 * A tale in borrowed words seldom finds the end of a text that a schema leaves open, and at
 * a big model's pace a whole context of it takes minutes.
 */
const CLOSE_AFTER = 160;

/** `words`: whose words come out; undefined: ids from a seed, which have none. */
export function voiceOf(
  settings: Settings,
  { model, words }: { readonly model: Model; readonly words: Model | undefined },
): Voice {
  if (words === undefined || !isEmbedded(words)) return { settings, notes: [] };
  const borrowed = words !== model;
  const asked = settings["tool-call-parser"];
  const parser = borrowed ? EMBEDDED.parser : (asked ?? EMBEDDED.parser);
  const thought = settings["reasoning-parser"];
  const notes = [
    asked !== undefined && parser !== asked
      ? `--tool-call-parser ${asked} is of ${model.source}; the words are the embedded model's, whose calls are read as ${parser}`
      : undefined,
    borrowed && thought !== undefined
      ? `--reasoning-parser ${thought} is of ${model.source}; the words are the embedded model's, which does not reason`
      : undefined,
  ];
  return {
    settings: {
      ...settings,
      "tool-call-parser": parser,
      "enable-auto-tool-choice": settings["enable-auto-tool-choice"] ?? true,
      ...(borrowed && { "reasoning-parser": undefined }),
    },
    ...(borrowed && { closeAfter: CLOSE_AFTER }),
    notes: notes.filter((note) => note !== undefined),
  };
}

function isEmbedded({ source }: Model): boolean {
  return resolve(source).startsWith(projectPath("models", "bundled"));
}

/**
 * Holds the conversations of test/conformance/conversations with a real vLLM 0.32.0 and
 * writes what it answers:
 *
 *     node --import tsx scripts/maintain/goldens/conversations.ts folder DIRECTORY
 *     node --import tsx scripts/maintain/goldens/conversations.ts VLLM_URL plain|thinks [OUR_URL]
 *
 * The first makes the folder that thinks. vLLM serves models/bundled/trainyard-tiny, or that
 * folder with FLAGS.thinks, with VLLM_ENABLE_RESPONSES_API_STORE=1. With OUR_URL the
 * conversations that differ there are named. Those that have answers are not held again.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { conversations, FLAGS, type Goldens } from "../../../test/conformance/conversations/all.ts";
import { play, type World } from "../../../test/conformance/conversations/play.ts";
import { makeThinkingFolder } from "../../../test/conformance/conversations/thinking-folder.ts";

const FILE = new URL("../../../test/conformance/conversations/goldens.json", import.meta.url);
const [first = "", second = "", ours] = process.argv.slice(2);
if (first === "folder") makeThinkingFolder("models/bundled/trainyard-tiny", second);
else await learn(first, second as World);

async function learn(url: string, world: World): Promise<void> {
  const { version } = (await (await fetch(`${url}/version`)).json()) as {
    readonly version: string;
  };
  if (version !== "0.32.0") throw new Error(`${url} is ${version}; goldens are 0.32.0's.`);
  const known: Goldens = existsSync(FILE)
    ? JSON.parse(readFileSync(FILE, "utf8"))
    : { vllm: version, flags: FLAGS, answers: {} };
  const answers = { ...known.answers };
  const fresh = conversations.filter((one) => one.world === world && !answers[one.name]);
  for (const one of fresh) {
    const theirs = await play(url, one).catch((error: Error) => error);
    if (theirs instanceof Error) {
      console.log(`no answer: ${one.name}: ${theirs.message} ${theirs.cause ?? ""}`);
      continue;
    }
    const again = await play(url, one);
    if (JSON.stringify(theirs) !== JSON.stringify(again)) {
      console.log(`not answered twice alike: ${one.name}`);
      continue;
    }
    answers[one.name] = theirs;
    if (ours !== undefined && JSON.stringify(await play(ours, one)) !== JSON.stringify(theirs)) {
      console.log(`✗ ${one.name}`);
    }
  }
  const sorted = conversations.flatMap(({ name }) =>
    answers[name] ? [[name, answers[name]]] : [],
  );
  const goldens = { vllm: version, flags: FLAGS, answers: Object.fromEntries(sorted) };
  writeFileSync(FILE, `${JSON.stringify(goldens, null, 1)}\n`);
}

/**
 * Asks a real vLLM the cases of test/conformance/vllm and writes what it answers:
 *
 *     node --import tsx scripts/maintain/goldens/vllm.ts VLLM_URL FOLDER [OUR_URL]
 *
 * VLLM_URL serves FOLDER as "m" in F32 with FLAGS. With OUR_URL, where this project
 * serves the same, the differences are printed and counted by route. What vLLM
 * does not answer twice alike is left out and named.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, type VllmAnswer } from "../../../test/conformance/vllm/answer.ts";
import type { VllmCase } from "../../../test/conformance/vllm/case.ts";
import { cases } from "../../../test/conformance/vllm/cases.ts";

const VERSION = "0.32.0";
const FLAGS =
  "--dtype float32 --max-num-seqs 16 --served-model-name m --enforce-eager --enable-auto-tool-choice --tool-call-parser hermes";
const GOLDENS = new URL("../../../test/conformance/vllm/goldens.json", import.meta.url);

interface Goldens {
  readonly vllm: string;
  readonly flags: string;
  readonly folder: string;
  readonly answers: Readonly<Record<string, VllmAnswer & { readonly request: string }>>;
}

const [vllmUrl = "", folder = "", ourUrl] = process.argv.slice(2);
const { version } = (await (await fetch(`${vllmUrl}/version`)).json()) as { version: string };
if (version !== VERSION) throw new Error(`${vllmUrl} is ${version}; goldens are ${VERSION}'s.`);

const hash = folderHash(folder);
const known = existsSync(GOLDENS)
  ? (JSON.parse(readFileSync(GOLDENS, "utf8")) as Goldens) // written below
  : undefined;
const kept = known?.folder === hash && known.flags === FLAGS ? known.answers : {};

const answers: Record<string, VllmAnswer & { request: string }> = {};
let unstable: VllmCase[] = [];
// One at a time: beside others its build adds log-probabilities that nobody asked
// for, and tokens share an event for want of pace.
for (const one of cases) await learn(one);
const again = unstable;
unstable = [];
for (const one of again) await learn(one);

async function learn(one: VllmCase): Promise<void> {
  const request = requestHash(one);
  const before = kept[one.name];
  if (before?.request === request) {
    answers[one.name] = before;
    return;
  }
  const first = await ask(vllmUrl, one);
  const again = first.status === 200 ? await ask(vllmUrl, one) : first;
  if (JSON.stringify(first) === JSON.stringify(again)) answers[one.name] = { request, ...first };
  else unstable.push(one);
}

const sorted = Object.fromEntries(
  cases.flatMap(({ name }) => (answers[name] ? [[name, answers[name]]] : [])),
);
const goldens: Goldens = { vllm: VERSION, flags: FLAGS, folder: hash, answers: sorted };
writeFileSync(GOLDENS, `${JSON.stringify(goldens, null, 1)}\n`);
console.log(`${Object.keys(sorted).length} answers of vLLM ${VERSION} for ${hash}`);
for (const { name } of unstable) console.log(`not answered twice alike: ${name}`);
if (ourUrl !== undefined) await compare(ourUrl);

async function compare(url: string): Promise<void> {
  const routes = new Map<string, { all: number; equal: number }>();
  for (const one of cases) {
    const theirs = answers[one.name];
    if (theirs === undefined) continue;
    const ours = await ask(url, one);
    const count = routes.get(one.path) ?? { all: 0, equal: 0 };
    routes.set(one.path, count);
    count.all++;
    const at = theirs.lines.findIndex((line, index) => line !== ours.lines[index]);
    const equal =
      theirs.status === ours.status && at < 0 && theirs.lines.length === ours.lines.length;
    if (equal) count.equal++;
    else {
      console.log(`✗ ${one.name}`);
      console.log(`    vLLM ${theirs.status} ${theirs.lines.length} ${theirs.lines[at] ?? ""}`);
      console.log(`    here ${ours.status} ${ours.lines.length} ${ours.lines[at] ?? ""}`);
    }
  }
  for (const [path, { all, equal }] of routes) console.log(`${equal} of ${all} equal: ${path}`);
}

function requestHash({ name: _, ...request }: VllmCase): string {
  return createHash("sha256").update(JSON.stringify(request)).digest("hex").slice(0, 12);
}

/** Of every file's name and bytes. */
function folderHash(path: string): string {
  const whole = createHash("sha256");
  for (const name of readdirSync(path).sort()) {
    whole.update(name).update(readFileSync(join(path, name)));
  }
  return whole.digest("hex").slice(0, 16);
}

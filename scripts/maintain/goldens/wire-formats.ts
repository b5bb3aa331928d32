/**
 * Asks a real vLLM 0.32.0 the cases of test/conformance/wire-formats/goldens.json that have no
 * answer yet and writes what it answers:
 *
 *     node --import tsx scripts/maintain/goldens/wire-formats.ts VLLM_URL
 *
 * It serves models/bundled/trainyard-tiny with the flags that stand in the file. To add a
 * case, add its request there (with `"status":0,"lines":[]`) and run this.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { ask, read, type WireGoldens } from "./wire-answer.ts";

const FILE = new URL("../../../test/conformance/wire-formats/goldens.json", import.meta.url);
const [url = ""] = process.argv.slice(2);
const { cases, ...head } = JSON.parse(readFileSync(FILE, "utf8")) as WireGoldens; // written below
const { version } = (await (await fetch(`${url}/version`)).json()) as { readonly version: string };
if (version !== head.vllm) throw new Error(`${url} is ${version}; goldens are ${head.vllm}'s.`);

const answered: string[] = [];
for (const { status, lines, ...one } of cases) {
  const kept = status === 0 ? undefined : { status, lines };
  const answer = kept ?? (await read(await ask(url, one)));
  const again = kept ?? (await read(await ask(url, one)));
  if (JSON.stringify(answer) === JSON.stringify(again)) {
    answered.push(JSON.stringify({ ...one, ...answer }));
  } else console.log(`not answered twice alike: ${one.name}`);
}
const top = JSON.stringify(head).slice(0, -1);
writeFileSync(FILE, `${top},"cases":[\n${answered.join(",\n")}\n]}\n`);

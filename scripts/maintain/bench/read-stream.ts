/** A client that does no more than count a stream's events, so that the server is what is measured. */
import { request } from "node:http";

/** Runs one stream of `tokens` tokens to its end; resolves with the number of its events. */
function readStream(url: string, tokens: number): Promise<number> {
  const asking = { prompt: "hello there", max_tokens: tokens, ignore_eos: true, stream: true };
  const body = JSON.stringify(asking);
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const asked = request(`${url}/v1/completions`, { method: "POST", headers }, (response) => {
      let events = 0;
      response.on("data", (data: Buffer) => {
        for (let at = data.indexOf("\n\n"); at >= 0; at = data.indexOf("\n\n", at + 2)) events++;
      });
      response.on("end", () => resolve(events));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** So many streams at once; resolves with the events of all. */
export async function readStreams(
  url: string,
  { streams, tokens }: { readonly streams: number; readonly tokens: number },
): Promise<number> {
  const counts = await Promise.all(Array.from({ length: streams }, () => readStream(url, tokens)));
  return counts.reduce((sum, count) => sum + count, 0);
}

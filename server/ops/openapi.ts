/**
 * GET /openapi.json, made from the schemas that validate, and GET /docs (and
 * /redoc), a page that shows it without any network. Off with `--disable-fastapi-docs`.
 */
import type { FastifyInstance } from "fastify";
import { VERSION } from "../version.ts";

interface Described {
  readonly method: string;
  readonly url: string;
  readonly body: object | undefined;
}

const SENTENCES: Readonly<Record<string, string>> = {
  "/v1/chat/completions": "Chat; a stream with `stream`.",
  "/v1/chat/completions/batch": "Several chats in one request, a choice for each.",
  "/generative_scoring": "How probable a label is after a query and each of several items.",
  "/v1/completions": "Text completion; a stream with `stream`.",
  "/v1/responses": "A response: items in, items out; a stream with `stream`.",
  "/v1/responses/:id":
    "A response that was kept; the events of one in the background with `stream`.",
  "/v1/responses/:id/cancel": "Ends a response in the background.",
  "/v1/messages": "Messages as Anthropic's API has them; a stream with `stream`.",
  "/v1/messages/count_tokens": "Tokens of the prompt that messages make.",
  "/inference/v1/generate": "Token ids in, token ids out.",
  "/inference/v1/abort_requests": "Ends generations by their ids.",
  "/kv_event_sources": "Where each engine publishes its KV events.",
  "/get_server_info": "The model and the size of a KV block, as routers ask for them.",
  "/v1/models": "The names the model answers to.",
  "/invocations": "A chat or a completion, by the shape of the body.",
  "/tokenize": "Token ids of a text or a chat.",
  "/detokenize": "Text of token ids.",
  "/tokenizer_info": "The tokenizer's configuration.",
  "/health": "200 while the engine makes progress.",
  "/ping": "As /health.",
  "/livez": "503 where the engine is stuck and the server is to be started again.",
  "/readyz": "503 where no requests are taken: draining or stuck.",
  "/version": "The server's version.",
  "/load": "Requests under way.",
  "/hygiene": "What falsifies the load under way, or the last one, as a benchmark.",
  "/requests": "The last requests and when things happened to them.",
  "/requests/:number": "One request's life: its steps, tokens and writes, and where its time went.",
  "/metrics": "Prometheus series.",
  "/live": "WebSocket: steps and the curve as they happen.",
  "/v1/realtime": "WebSocket: sessions in OpenAI's realtime text mode.",
};

const ERROR = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"] },
        code: { type: "integer" },
      },
      required: ["message", "type", "param", "code"],
    },
  },
  required: ["error"],
};

/** Call before the routes are added: it listens to them. */
export function openApiRoutes(app: FastifyInstance): void {
  const described: Described[] = [];
  app.addHook("onRoute", ({ method, url, schema, config }) => {
    for (const one of Array.isArray(method) ? method : [method]) {
      if (one === "HEAD" || one === "OPTIONS" || config?.hidden || isHidden(url)) continue;
      described.push({ method: one, url, body: schema?.body as object | undefined }); // ours are JSON schemas
    }
  });
  let document: string | undefined;
  app.route({
    ...{ method: ["HEAD", "GET"], url: "/openapi.json" },
    handler: async (_request, reply) => {
      document ??= JSON.stringify(openApi(described));
      return reply.type("application/json").send(document);
    },
  });
  for (const url of ["/docs", "/redoc"]) {
    app.route({
      ...{ method: ["HEAD", "GET"], url },
      handler: async (_request, reply) => reply.type("text/html; charset=utf-8").send(PAGE),
    });
  }
}

/** Pages and their files are no interface. */
const isHidden = (url: string): boolean =>
  ["/", "/docs", "/redoc", "/openapi.json", "*"].includes(url) || url.startsWith("/assets/");

export function openApi(routes: readonly Described[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, url, body } of routes) {
    paths[url] ??= {};
    const path = paths[url] as Record<string, object>; // made in the line above
    path[method.toLowerCase()] = {
      summary: SENTENCES[url] ?? url,
      operationId: `${method.toLowerCase()}${url.replaceAll(/[^\w]+/g, "_")}`,
      ...(body !== undefined && {
        requestBody: { required: true, content: { "application/json": { schema: body } } },
      }),
      responses: {
        "200": { description: "OK" },
        ...(body !== undefined && {
          "400": errorResponse("The request is wrong; `param` names the field."),
          "404": errorResponse("The model does not exist."),
          "413": errorResponse("The body is too large."),
          "503": errorResponse("Too much waits, or the server is ending."),
        }),
        ...(url.startsWith("/v1") && { "401": { description: "No valid key." } }),
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Trainyard",
      version: VERSION,
      description: "A vLLM-compatible server. Unknown fields are ignored and named in a header.",
    },
    paths,
  };
}

function errorResponse(description: string): object {
  return { description, content: { "application/json": { schema: ERROR } } };
}

const PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Trainyard</title>
<meta name="viewport" content="width=device-width">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-weight:600}summary{cursor:pointer;padding:.5rem 0}code,pre{font:14px/1.4 ui-monospace,monospace}
.verb{display:inline-block;width:4rem;font-weight:600;color:#067}table{border-collapse:collapse;width:100%}
td{border-top:1px solid #ddd;padding:.2rem .5rem;vertical-align:top}textarea{width:100%;height:8rem}
pre{background:#f4f4f4;padding:.5rem;overflow:auto;white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}pre{background:#222}td{border-color:#333}.verb{color:#6cc}}
</style></head><body><h1>Trainyard</h1>
<p>Machine-readable: <a href="openapi.json">openapi.json</a>. Key, if the server wants one:
<input id="key" type="password" autocomplete="off"></p><main></main>
<script>
const make=(tag,text,parent)=>{const e=document.createElement(tag);if(text)e.textContent=text;parent.append(e);return e};
const kind=s=>!s?"":s.const!==undefined?JSON.stringify(s.const):s.anyOf?s.anyOf.map(kind).join(" | "):s.type==="array"?"list of "+kind(s.items):String(s.type??"any");
const main=document.querySelector("main");
fetch("openapi.json").then(r=>r.json()).then(api=>{
 for(const[path,verbs]of Object.entries(api.paths))for(const[verb,about]of Object.entries(verbs)){
  const box=make("details","",main),head=make("summary","",box);
  const v=make("span",verb.toUpperCase(),head);v.className="verb";make("code",path+" ",head);make("span"," "+about.summary,head);
  const schema=about.requestBody?.content["application/json"].schema;
  if(schema){const table=make("table","",box);for(const[name,s]of Object.entries(schema.properties??{})){const row=make("tr","",table);
   make("code",name+(schema.required?.includes(name)?" *":""),make("td","",row));make("td",kind(s),row)}}
  if(path==="/live"||path==="/v1/realtime")continue;
  const area=schema?make("textarea","",box):null;
  if(area)area.value=path.includes("chat")?'{"messages":[{"role":"user","content":"Hello"}],"max_tokens":32}':path.includes("detok")?'{"tokens":[1,2,3]}':'{"prompt":"Once upon a time","max_tokens":32}';
  const button=make("button","Send",box),out=make("pre","",box);
  button.onclick=async()=>{const key=document.querySelector("#key").value;
   const r=await fetch(path.slice(1),{method:verb.toUpperCase(),headers:{...(area&&{"content-type":"application/json"}),...(key&&{authorization:"Bearer "+key})},body:area?.value});
   const t=await r.text();let shown=t;try{shown=JSON.stringify(JSON.parse(t),null,2)}catch{}
   out.textContent=r.status+"\\n"+shown};
 }});
</script></body></html>
`;

// The first code of a Node sandbox's process: loads the handler as Lambda does, then serves the Runtime API.
//
// It stands in for Lambda's own bootstrap, which has native parts: what handlers and readers of logs can see
// (how modules are found, callbacks, `context`, error types, the wording of log lines) is as there. It holds
// nothing of the local cloud, and the function can import nothing of it. Response streaming is not served.
// Usage: node node_bootstrap.mjs <task root> <handler>
// Protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import fs from "node:fs";
import http from "node:http";
import nodeModule, { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import util from "node:util";

const [taskRoot, handlerName] = process.argv.slice(2);
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const PREFIX = "/2018-06-01/runtime";
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const isJson = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const FRAME = 0xa55a0003;
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

let requestId;
let onIdle = () => {};

// Errors of the runtime's own, named as Lambda names them

class RuntimeError extends Error {
  constructor(name, message, stack) {
    super(message);
    this.name = `Runtime.${name}`;
    if (stack) this.stack = stack;
  }
}

function asError(value) {
  return value instanceof Error ? value : new Error(value);
}

function describe(value) {
  if (util.types.isNativeError(value) || (value?.name && value?.message && value?.stack)) {
    return { errorType: value.name, errorMessage: value.message, trace: String(value.stack).split("\n") };
  }
  return { errorType: typeof value, errorMessage: String(value), trace: [] };
}

// Logs: one frame for each message, so that a message of several lines stays one

function openLog() {
  const descriptor = Number.parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD, 10);
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  return (date, text) => {
    const body = Buffer.from(text, "utf8");
    const head = Buffer.alloc(16);
    head.writeUInt32BE(FRAME, 0);
    head.writeUInt32BE(body.length, 4);
    head.writeBigInt64BE(BigInt(date.valueOf()) * 1000n, 8);
    writeAll(descriptor, Buffer.concat([head, body]));
  };
}

function writeAll(descriptor, bytes) {
  let start = 0;
  while (start < bytes.length) {
    try {
      start += fs.writeSync(descriptor, bytes, start);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const writeLog = openLog();

function formatText(date, level, words) {
  return `${date.toISOString()}\t${requestId}\t${level}\t${util.format(...words)}\n`;
}

function spell(_, value) {
  if (!(value instanceof Error)) return value;
  const told = { errorType: value.constructor?.name ?? "UnknownError", errorMessage: value.message };
  return { ...told, stackTrace: String(value.stack).split("\n"), ...value };
}

function formatJson(date, level, words) {
  const record = { timestamp: date.toISOString(), level, requestId };
  if (words.length === 1) {
    try {
      return JSON.stringify({ ...record, message: words[0] }, spell);
    } catch {
      return JSON.stringify({ ...record, message: util.format(words[0]) });
    }
  }
  const error = words.find((word) => word instanceof Error);
  return JSON.stringify({ ...record, message: util.format(...words), ...(error ? spell("", error) : {}) });
}

function patchConsole() {
  const least = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  for (const [rank, level] of LEVELS.entries()) {
    console[level.toLowerCase()] = (...words) => {
      if (rank < least) return;
      const date = new Date();
      writeLog(date, isJson ? formatJson(date, level, words) : formatText(date, level, words));
    };
  }
  console.log = console.info;
}

function logError(title, value) {
  const error = asError(value);
  if (isJson) {
    console.error(error);
    return;
  }
  const { name, message, code } = error;
  const told = { errorType: name, errorMessage: message, code, ...error, stack: String(error.stack).split("\n") };
  console.error(title, `\t${JSON.stringify(told, (_, one) => (typeof one === "bigint" ? String(one) : one))}`);
}

// The Runtime API

function call(method, place, body, more) {
  const headers = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body), ...more };
  const options = { agent, host, port, method, path: PREFIX + place, headers };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(pieces).toString() }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function next() {
  try {
    return await call("GET", "/invocation/next");
  } catch {
    process.exit(0); // the sandbox is over
  }
}

const post = (place, value, more) => call("POST", place, JSON.stringify(value === undefined ? null : value), more);

let fail = async (value, more) => post("/init/error", describe(value), more);

async function end(title, value, code) {
  onIdle = () => {};
  logError(title, value);
  try {
    await fail(value, { "Tidegate-Process-Ends": "true" });
  } finally {
    process.exit(code);
  }
}

// The handler

function split(name) {
  const last = path.basename(name);
  const match = /^([^.]*)\.(.*)$/.exec(last);
  if (name.includes("..")) {
    const reason = "is not a valid handler name. Use absolute paths when specifying root directories in handler names.";
    throw new RuntimeError("MalformedHandlerName", `'${name}' ${reason}`);
  }
  if (!match) throw new RuntimeError("MalformedHandlerName", "Bad handler");
  return { folder: name.slice(0, name.length - last.length), module: match[1], names: match[2].split(".") };
}

function isModuleFolder(folder) {
  if (path.basename(folder) === "node_modules") return false;
  const manifest = path.join(folder, "package.json");
  if (fs.existsSync(manifest)) {
    try {
      return JSON.parse(fs.readFileSync(manifest, "utf8")).type === "module";
    } catch {
      return false;
    }
  }
  const above = path.dirname(folder);
  return above !== folder && isModuleFolder(above);
}

async function load(folder, module) {
  const require = createRequire(path.join(taskRoot, "index.js"));
  const base = path.resolve(taskRoot, folder, module);
  const isFile = (file) => fs.existsSync(file) && fs.statSync(file).isFile();
  if (fs.existsSync(base)) return require(base); // a folder, too
  if (isFile(`${base}.js`)) {
    const isModule = isModuleFolder(path.dirname(base));
    return isModule ? import(pathToFileURL(`${base}.js`)) : require(`${base}.js`);
  }
  if (isFile(`${base}.mjs`)) return import(pathToFileURL(`${base}.mjs`));
  if (isFile(`${base}.cjs`)) return require(`${base}.cjs`);
  return require(require.resolve(module, { paths: [taskRoot, path.resolve(taskRoot, folder)] }));
}

async function find(name) {
  const { folder, module, names } = split(name);
  let found;
  try {
    found = await load(folder, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeError("UserCodeSyntaxError", String(error), error.stack);
    }
    if (["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error?.code)) {
      throw new RuntimeError("ImportModuleError", String(error), error.stack);
    }
    throw error;
  }
  const handler = names.reduce((one, key) => one && one[key], found);
  if (!handler) throw new RuntimeError("HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new RuntimeError("HandlerNotFound", `${name} is not a function`);
  return handler;
}

function checkKind(handler) {
  const version = Number.parseInt(process.env.AWS_EXECUTION_ENV?.match(/nodejs(\d+)/)?.[1] ?? "0", 10);
  if (version >= 24 && handler.length >= 3) {
    const reason = "AWS Lambda has removed support for callback-based function handlers starting with Node.js 24.";
    throw new RuntimeError("CallbackHandlerDeprecated", reason);
  }
}

function makeContext(headers) {
  const read = (name) => {
    const text = headers[`lambda-runtime-${name}`];
    return text === undefined ? undefined : JSON.parse(text);
  };
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: read("client-context"),
    identity: read("cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// An answer comes by a promise, by the callback once nothing is left to do, or by `context` at once.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const isAsync = handler.constructor?.name === "AsyncFunction";
    onIdle = () => {
      if (isAsync) reject(new RuntimeError("NodeJsExit", "The Lambda function exited without a result"));
      else resolve(null);
    };
    const done = (error, result) => (error === undefined || error === null ? resolve(result) : reject(error));
    const callback = (error, result) => {
      const isRefused = error !== undefined && error !== null;
      if (isRefused || !context.callbackWaitsForEmptyEventLoop) done(error, result);
      else onIdle = () => resolve(result);
    };
    const refuse = (error) => reject(error ?? "handled");
    Object.assign(context, { done, succeed: (result) => done(null, result), fail: refuse });
    const returned = handler(event, context, callback);
    if (typeof returned?.then === "function") returned.then(context.succeed, refuse);
  });
}

async function serve(handler) {
  for (;;) {
    const { headers, body } = await next();
    requestId = headers["lambda-runtime-aws-request-id"];
    const place = `/invocation/${encodeURIComponent(requestId)}`;
    process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
    fail = (value, more) => post(`${place}/error`, describe(value), more);
    try {
      const result = await run(handler, JSON.parse(body), makeContext(headers));
      onIdle = () => {};
      await post(`${place}/response`, result);
    } catch (error) {
      onIdle = () => {};
      logError("Invoke Error", error);
      await fail(error);
    }
  }
}

// `import` looks into NODE_PATH, too, where layers and the SDK lie; Node's own does not.
function lookFurther() {
  const places = (process.env.NODE_PATH ?? "").split(path.delimiter).filter((one) => one.endsWith("/node_modules"));
  const parents = places.map((place) => pathToFileURL(path.join(path.dirname(place), "index.js")).href);
  nodeModule.registerHooks?.({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^\w+:/.test(specifier)) throw error;
        for (const parentURL of parents) {
          try {
            return nextResolve(specifier, { ...context, parentURL });
          } catch {
            continue;
          }
        }
        throw error;
      }
    },
  });
}

patchConsole();
lookFurther();
process.on("beforeExit", () => onIdle());
process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
process.on("unhandledRejection", (reason) => {
  const error = new RuntimeError("UnhandledPromiseRejection", String(reason), reason?.stack);
  return end("Unhandled Promise Rejection", Object.assign(error, { reason }), 128);
});
globalThis.awslambda = {
  streamifyResponse() {
    throw new RuntimeError("InvalidStreamingOperation", "responses are not streamed in the local cloud");
  },
};
try {
  const handler = await find(handlerName);
  checkKind(handler);
  serve(handler);
} catch (error) {
  await end("Uncaught Exception", error, 129);
}

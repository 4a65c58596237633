// Starts `kleene lsp` for rule files, and starts it anew when its path changes.
"use strict";

const vscode = require("vscode");
const { LanguageClient, State, TransportKind } = require("vscode-languageclient/node");

let client;

async function start() {
  const command = vscode.workspace.getConfiguration("kleene").get("path") || "kleene";
  const watcher = vscode.workspace.createFileSystemWatcher("**/*.{cep,txt,csv}");
  const server = { command, args: ["lsp"], transport: TransportKind.stdio };
  const options = {
    documentSelector: [{ language: "cep" }],
    // Rules use other rule files and lists, which may change on disk.
    synchronize: { fileEvents: watcher },
  };
  const started = new LanguageClient("kleene", "Kleene", server, options);
  started.onDidChangeState(({ newState }) => {
    if (newState === State.Stopped) watcher.dispose();
  });
  client = started;
  try {
    await started.start();
  } catch (error) {
    client = undefined;
    watcher.dispose();
    vscode.window.showErrorMessage(
      `\`${command} lsp\` cannot be started: ${error.message}. ` +
        "Install kleene, or say where it is with the setting kleene.path."
    );
  }
}

async function stop() {
  const stopped = client;
  client = undefined;
  if (stopped) await stopped.stop();
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("kleene.restart", restart),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("kleene.path")) restart();
    })
  );
  await start();
}

module.exports = { activate, deactivate: stop };

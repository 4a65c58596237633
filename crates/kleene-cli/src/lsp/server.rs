//! The conversation with the editor: requests in, answers out, one after the other.

use anyhow::{Context as _, Result};
use gen_lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionParams, CompletionOptions, CompletionParams,
    DefinitionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DocumentFormattingParams, DocumentSymbolParams, Hover, HoverParams,
    Location, MarkupContent, MarkupKind, PublishDiagnosticsParams, Range, ServerCapabilities,
    TextDocumentContentChangeEvent, TextDocumentPositionParams, TextDocumentSyncKind, TextEdit,
    Uri,
};
use kleene_syntax::syntax::format;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::actions::actions;
use super::completions::completions;
use super::diagnose::diagnose;
use super::documents::Documents;
use super::position::Lines;
use super::symbols::symbols;
use super::uri;

/// Speaks with an editor until it says `exit`; whether it said `shutdown` before, as it should.
pub(super) fn serve(connection: &Connection) -> Result<bool> {
    let (id, params) =
        connection.initialize_start().context("the editor did not send `initialize`")?;
    let answer = serde_json::json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": "kleene", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, answer).context("the editor did not send `initialized`")?;
    let documents = Documents::of(&params);
    Server { connection, documents, is_changed: false }.run()
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncKind::Full.into()),
        hover_provider: Some(true.into()),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([".", "$", "[", "{", "(", "`"].map(String::from).to_vec()),
            ..CompletionOptions::default()
        }),
        code_action_provider: Some(
            CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QuickFix]),
                ..CodeActionOptions::default()
            }
            .into(),
        ),
        definition_provider: Some(true.into()),
        document_formatting_provider: Some(true.into()),
        document_symbol_provider: Some(true.into()),
        ..ServerCapabilities::default()
    }
}

struct Server<'c> {
    connection: &'c Connection,
    documents: Documents,
    /// True if something changed since diagnostics were reported.
    is_changed: bool,
}

impl Server<'_> {
    fn run(mut self) -> Result<bool> {
        let mut is_shut_down = false;
        loop {
            let message = if self.is_changed {
                match self.connection.receiver.try_recv() {
                    Ok(message) => message,
                    Err(error) if error.is_disconnected() => return Ok(is_shut_down),
                    Err(_) => {
                        // Who types fast is reported once.
                        self.is_changed = false;
                        self.publish()?;
                        continue;
                    }
                }
            } else {
                match self.connection.receiver.recv() {
                    Ok(message) => message,
                    Err(_) => return Ok(is_shut_down),
                }
            };
            match message {
                Message::Request(request) if is_shut_down => {
                    let reported = String::from("the server is shut down");
                    let code = ErrorCode::InvalidRequest as i32;
                    self.send(Response::new_err(request.id, code, reported))?;
                }
                Message::Request(request) if request.method == "shutdown" => {
                    is_shut_down = true;
                    self.send(Response::new_ok(request.id, Value::Null))?;
                }
                Message::Request(request) => {
                    let response = self.request(request);
                    self.send(response)?;
                }
                Message::Notification(notification) if notification.method == "exit" => {
                    return Ok(is_shut_down);
                }
                Message::Notification(notification) => self.notification(notification)?,
                Message::Response(_) => {}
            }
        }
    }

    fn send(&self, message: impl Into<Message>) -> Result<()> {
        self.connection.sender.send(message.into()).context("the editor closed the connection")
    }

    fn request(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        match method.as_str() {
            "textDocument/hover" => answer(id, params, |params: HoverParams| {
                self.hover(&params.text_document_position_params)
            }),
            "textDocument/completion" => answer(id, params, |params: CompletionParams| {
                let place = &params.text_document_position_params;
                let (text, at) = self.place(place)?;
                let set = self.documents.set_of(&text, Some(at));
                Some(completions(&set, at))
            }),
            "textDocument/definition" => answer(id, params, |params: DefinitionParams| {
                self.definition(&params.text_document_position_params)
            }),
            "textDocument/formatting" => answer(id, params, |params: DocumentFormattingParams| {
                let uri = params.text_document.uri;
                let document = self.documents.get(&uri.0)?;
                // A text with mistakes stays as it is; they are reported already.
                let formatted = format(&document.source).ok()?;
                let range = Lines::new(&document.source.text).all();
                let is_same = formatted == *document.source.text;
                let edit = TextEdit { range, new_text: formatted };
                Some(if is_same { Vec::new() } else { vec![edit] })
            }),
            "textDocument/codeAction" => answer(id, params, |params: CodeActionParams| {
                let uri = params.text_document.uri;
                let document = self.documents.get(&uri.0)?;
                Some(actions(&uri, &document.source.text, &params.context.diagnostics))
            }),
            "textDocument/documentSymbol" => answer(id, params, |params: DocumentSymbolParams| {
                let document = self.documents.get(&params.text_document.uri.0)?;
                Some(symbols(&document.source.text))
            }),
            _ => {
                let reported = format!("`{method}` is not supported");
                Response::new_err(id, ErrorCode::MethodNotFound as i32, reported)
            }
        }
    }

    /// The document and the byte that a request is about.
    fn place(
        &self,
        place: &TextDocumentPositionParams,
    ) -> Option<(kleene::diagnostic::Source, usize)> {
        let document = self.documents.get(&place.text_document.uri.0)?;
        let at = Lines::new(&document.source.text).offset(place.position);
        Some((document.source.clone(), at))
    }

    fn hover(&self, place: &TextDocumentPositionParams) -> Option<Hover> {
        let (source, at) = self.place(place)?;
        let set = self.documents.set_of(&source, None);
        let mark = set.mark(at)?;
        let meaning = set.meaning(mark)?;
        let value = meaning.markdown();
        Some(Hover {
            contents: MarkupContent { kind: MarkupKind::Markdown, value }.into(),
            range: Some(Lines::new(&source.text).range(mark.span)),
        })
    }

    fn definition(&self, place: &TextDocumentPositionParams) -> Option<Location> {
        let (source, at) = self.place(place)?;
        let set = self.documents.set_of(&source, None);
        let (file, span) = set.meaning(set.mark(at)?)?.target?;
        let target = &set.files.get(file)?.source;
        let uri = if file == 0 {
            place.text_document.uri.clone()
        } else {
            uri::from_path(std::path::Path::new(&*target.name))?
        };
        let lines = Lines::new(&target.text);
        let start = lines.position(span.start as usize);
        let end = lines.position(span.end as usize);
        Some(Location { uri, range: Range { start, end } })
    }

    fn notification(&mut self, notification: Notification) -> Result<()> {
        let Notification { method, params } = notification;
        match method.as_str() {
            "textDocument/didOpen" => {
                if let Ok(params) = serde_json::from_value::<DidOpenTextDocumentParams>(params) {
                    let document = params.text_document;
                    self.documents.set(&document.uri.0, document.text, document.version);
                    self.is_changed = true;
                }
            }
            "textDocument/didChange" => {
                if let Ok(params) = serde_json::from_value::<DidChangeTextDocumentParams>(params)
                    // The server asks for whole texts; the last one counts.
                    && let Some(
                        TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(change),
                    ) = params.content_changes.into_iter().next_back()
                {
                    let document = params.text_document;
                    let uri = document.text_document_identifier.uri;
                    self.documents.set(&uri.0, change.text, document.version);
                    self.is_changed = true;
                }
            }
            "textDocument/didClose" => {
                if let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(params) {
                    let uri = params.text_document.uri;
                    self.documents.close(&uri.0);
                    self.is_changed = true;
                    self.report(PublishDiagnosticsParams::new(uri, None, Vec::new()))?;
                }
            }
            // A file that a document uses may be another one now.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => self.is_changed = true,
            _ => {}
        }
        Ok(())
    }

    /// Reports what is wrong with each open document.
    fn publish(&self) -> Result<()> {
        for (name, document) in self.documents.all() {
            let diagnostics = diagnose(&self.documents, name, &document.source);
            let (uri, version) = (Uri(name.to_owned()), Some(document.version));
            self.report(PublishDiagnosticsParams::new(uri, version, diagnostics))?;
        }
        Ok(())
    }

    fn report(&self, params: PublishDiagnosticsParams) -> Result<()> {
        let method = String::from("textDocument/publishDiagnostics");
        self.send(Notification::new(method, params))
    }
}

/// Answers a request; nothing is `null`.
fn answer<P: DeserializeOwned, R: Serialize>(
    id: RequestId,
    params: Value,
    handle: impl FnOnce(P) -> Option<R>,
) -> Response {
    match serde_json::from_value(params) {
        Ok(params) => Response::new_ok(id, handle(params)),
        Err(error) => Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string()),
    }
}

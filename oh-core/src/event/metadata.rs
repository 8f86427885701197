//! Where an action came from and what it cost.

use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// The model's answer and the call in it that an action was made from.
    pub struct ToolCallMetadata {
        required {
            /// Name of the function that the model called.
            function_name: String,
            /// Id of the call.
            tool_call_id: String,
        }
        optional {
            /// The completion, in the form of OpenAI's chat API; `{}` if it was not kept, since readers
            /// of OpenHands V0 want an object.
            model_response: RawJson = RawJson::object(),
            /// Number of calls in that completion.
            total_calls_in_response: i64 = 1,
        }
    }
}

payload! {
    /// Tokens of one answer, or of many added up.
    pub struct TokenUsage {
        optional {
            /// Name of the model.
            model: String = String::new(),
            /// Tokens sent.
            prompt_tokens: i64 = 0,
            /// Tokens received.
            completion_tokens: i64 = 0,
            /// Tokens read from the provider's cache.
            cache_read_tokens: i64 = 0,
            /// Tokens written to the provider's cache.
            cache_write_tokens: i64 = 0,
            /// Size of the model's window, 0 if not known.
            context_window: i64 = 0,
            /// Prompt and completion tokens of the latest answer.
            per_turn_token: i64 = 0,
            /// Id of the answer, empty for a sum.
            response_id: String = String::new(),
        }
    }
}

payload! {
    /// Price of one answer.
    pub struct Cost {
        required {
            /// Name of the model.
            model: String,
            /// Price in US dollars.
            cost: f64,
        }
        optional {
            /// Seconds since 1970.
            timestamp: f64 = 0.0,
        }
    }
}

payload! {
    /// Time that one answer took.
    pub struct ResponseLatency {
        required {
            /// Name of the model.
            model: String,
            /// Seconds.
            latency: f64,
        }
        optional {
            /// Id of the answer.
            response_id: String = String::new(),
        }
    }
}

payload! {
    /// Cost and token counts of a model so far.
    pub struct Metrics {
        optional {
            /// US dollars so far.
            accumulated_cost: f64 = 0.0,
            /// Limit in US dollars.
            max_budget_per_task: Option<f64> = None,
            /// Tokens so far.
            accumulated_token_usage: TokenUsage = TokenUsage::default(),
            /// Price of each answer.
            costs: Vec<Cost> = Vec::new(),
            /// Time of each answer.
            response_latencies: Vec<ResponseLatency> = Vec::new(),
            /// Tokens of each answer.
            token_usages: Vec<TokenUsage> = Vec::new(),
        }
    }
}

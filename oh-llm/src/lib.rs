//! oh-llm

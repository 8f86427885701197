//! Results of visits to web pages.

use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// What the browser shows.
    pub struct BrowseObservation {
        lead {
            /// Text for the model.
            content: String,
        }
        required {
            /// Address of the page.
            url: String,
            /// Discriminator of the action.
            trigger_by_action: String,
        }
        optional {
            /// Picture of the page, as a data URL.
            screenshot: String = String::new(),
            /// File with the picture.
            screenshot_path: Option<String> = None,
            /// Picture with marked elements, as a data URL.
            set_of_marks: String = String::new(),
            /// The action failed.
            error: bool = false,
            /// Pictures of the goal.
            goal_image_urls: Vec<String> = Vec::new(),
            /// Addresses of the open pages.
            open_pages_urls: Vec<String> = Vec::new(),
            /// Which of them is shown.
            active_page_index: i64 = -1,
            /// The page's tree.
            dom_object: RawJson = RawJson::object(),
            /// Its accessibility tree.
            axtree_object: RawJson = RawJson::object(),
            /// More about the elements.
            extra_element_properties: RawJson = RawJson::object(),
            /// The action as the browser ran it.
            last_browser_action: String = String::new(),
            /// Its error.
            last_browser_action_error: String = String::new(),
            /// The element with the focus.
            focused_element_bid: String = String::new(),
            /// Only visible elements are listed.
            filter_visible_only: bool = false,
        }
    }
}

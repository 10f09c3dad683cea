-- What was said in a turn, as words to find it by (`store/words.py`): the newest has the highest
-- rowid. The ids are words too, so that a search never looks at another user's rows. No sizes are
-- kept: nothing is ranked.
CREATE VIRTUAL TABLE search USING fts5 (
    user_id, conversation_id, words, position UNINDEXED, at UNINDEXED,
    tokenize = 'ascii', columnsize = 0
);

-- Why a number is at risk is kept by its code, too: outbound decisions that have it in words are gone down once more.
INSERT OR REPLACE INTO reason_backlog (journal, up_to)
    SELECT 'outbound_decision', max(rowid) FROM outbound_decision HAVING max(rowid) IS NOT NULL;

/**
 * Whether executions of that workspace wait for its share; `workspace` is an expression of the statement around it. Not
 * `exists`: where PostgreSQL believes that very many wait it looks for one through the whole table, and where none does any
 * more it reads all of it. In order there is no way but the index.
 */
export const someWait = (workspace: string): string => `(
        select o.id from executions o
        where o.workspace_id = ${workspace} and o.dispatched_at is null and o.ended_at is null
        order by o.workspace_id, o.id limit 1) is not null`;

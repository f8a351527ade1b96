// A node-postgres program. Go's TestNodePostgres runs it with one scenario's name and the address in PG*
// environment variables; it prints nothing and exits with 0 if everything was as PostgreSQL would have it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import copy from 'pg-copy-streams';
import Cursor from 'pg-cursor';

const table = process.env.CONFORMANCE_TABLE;

async function withClient(work, options = {}) {
  const client = new pg.Client(options);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function withPool(size, work) {
  const pool = new pg.Pool({ max: size });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

const sqlState = (state) => (error) => error.code === state;
const range = (n) => Array.from({ length: n }, (_, i) => i);

const scenarios = {
  // Simple and parameterised queries, types, errors, several statements.
  async queries() {
    await withClient(async (client) => {
      const simple = await client.query("SELECT 1 AS one, 'two' AS two, NULL AS three");
      assert.deepEqual(simple.rows, [{ one: 1, two: 'two', three: null }]);
      const typed = await client.query('SELECT $1::int AS i, $2::text AS t, $3::jsonb AS j, $4::timestamptz AS d, $5::bytea AS b', [
        7, 'Grüße', { a: [1] }, new Date(0), Buffer.from([0, 255]),
      ]);
      assert.deepEqual(typed.rows, [{ i: 7, t: 'Grüße', j: { a: [1] }, d: new Date(0), b: Buffer.from([0, 255]) }]);
      await assert.rejects(client.query('SELECT 1/0'), sqlState('22012'));
      await assert.rejects(client.query('SELECT $1::int', ['no number']), sqlState('22P02'));
      await assert.rejects(client.query('SELECT * FROM no_such_table'), sqlState('42P01'));
      const several = await client.query("SELECT 1 AS a; SELECT 2 AS b");
      assert.deepEqual(several.map((result) => result.rows), [[{ a: 1 }], [{ b: 2 }]]);
      const empty = await client.query('');
      assert.equal(empty.rows.length, 0);
    });
  },

  // Named prepared statements on many clients that share few server connections.
  async prepared() {
    await withPool(6, async (pool) => {
      await Promise.all(range(120).map(async (token) => {
        const named = { name: `add-${token % 7}`, text: `SELECT $1::int + ${token % 7} AS sum, $2::text AS token` };
        const { rows } = await pool.query({ ...named, values: [token, `token ${token}`] });
        assert.deepEqual(rows, [{ sum: token + (token % 7), token: `token ${token}` }]);
      }));
    });
    await withClient(async (client) => {
      const query = { name: 'kept', text: 'SELECT $1::int AS n', values: [1] };
      for (const step of ['BEGIN', query, 'COMMIT', query, 'BEGIN', query, 'ROLLBACK', query]) {
        await client.query(step);
      }
      await client.query('BEGIN');
      await assert.rejects(client.query({ ...query, values: ['x'] }), sqlState('22P02'));
      await assert.rejects(client.query(query), sqlState('25P02'));
      await client.query('ROLLBACK');
      assert.deepEqual((await client.query(query)).rows, [{ n: 1 }]);
    });
  },

  // Promises that are not awaited one by one; each answer must belong to its question.
  async pipelined() {
    await withClient(async (client) => {
      const answers = await Promise.all(range(100).map((n) => {
        if (n % 10 === 9) return client.query('SELECT 1 / $1::int AS n', [0]).catch((error) => error.code);
        if (n % 2 === 0) return client.query(`SELECT ${n} AS n`).then((result) => result.rows[0].n);
        return client.query('SELECT $1::int AS n', [n]).then((result) => result.rows[0].n);
      }));
      assert.deepEqual(answers, range(100).map((n) => (n % 10 === 9 ? '22012' : n)));
    });
  },

  // The same in the driver's pipeline mode: several batches are on the wire at once.
  async pipelineMode() {
    await withClient(async (client) => {
      const answers = await Promise.all(range(60).map((n) => {
        if (n % 10 === 9) return client.query('SELECT 1 / $1::int AS n', [0]).catch((error) => error.code);
        if (n % 3 === 0) return client.query({ name: 'piped', text: 'SELECT $1::int AS n', values: [n] }).then((r) => r.rows[0].n);
        return client.query('SELECT $1::int AS n', [n]).then((r) => r.rows[0].n);
      }));
      assert.deepEqual(answers, range(60).map((n) => (n % 10 === 9 ? '22012' : n)));
    }, { pipeline: true });
  },

  async transactions() {
    await withPool(5, async (pool) => {
      await pool.query(`CREATE TABLE ${table} (owner int, n int)`);
      await Promise.all(range(20).map(async (owner) => {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          for (const n of range(5)) {
            await client.query(`INSERT INTO ${table} VALUES ($1, $2)`, [owner, n]);
          }
          const { rows } = await client.query(`SELECT count(*)::int AS count FROM ${table} WHERE owner = $1`, [owner]);
          assert.equal(rows[0].count, 5);
          await client.query(owner % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
        } finally {
          client.release();
        }
      }));
      const { rows } = await pool.query(`SELECT count(*)::int AS count, count(DISTINCT owner)::int AS owners FROM ${table}`);
      assert.deepEqual(rows, [{ count: 50, owners: 10 }]);
      await pool.query(`DROP TABLE ${table}`);
    });
  },

  async copy() {
    await withClient(async (client) => {
      await client.query(`CREATE TABLE ${table} (id int, line text)`);
      const lines = range(5000).map((n) => `${n}\tline ${n}\n`);
      await pipeline(Readable.from(lines), client.query(copy.from(`COPY ${table} FROM STDIN`)));
      let text = '';
      const sink = new Writable({
        write(chunk, encoding, done) {
          text += chunk;
          done();
        },
      });
      await pipeline(client.query(copy.to(`COPY (SELECT * FROM ${table} ORDER BY id) TO STDOUT`)), sink);
      assert.equal(text, lines.join(''));
      await assert.rejects(
        pipeline(Readable.from(['1\tone\n', 'no number\ttwo\n']), client.query(copy.from(`COPY ${table} FROM STDIN`))),
        sqlState('22P02'),
      );
      const { rows } = await client.query(`SELECT count(*)::int AS count FROM ${table}`);
      assert.deepEqual(rows, [{ count: 5000 }]);
      await client.query(`DROP TABLE ${table}`);
    });
  },

  async cursor() {
    await withClient(async (client) => {
      const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, $1::int) AS n', [250]));
      let seen = 0;
      for (let rows = await cursor.read(100); rows.length > 0; rows = await cursor.read(100)) {
        for (const row of rows) assert.equal(row.n, ++seen);
      }
      assert.equal(seen, 250);
      await cursor.close();
      const early = client.query(new Cursor('SELECT n FROM generate_series(1, 1000) AS n'));
      assert.equal((await early.read(10)).length, 10);
      await early.close();
      assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
    });
  },

  // The driver asks for a cancel when a query is cancelled by its user.
  async cancel() {
    const running = new pg.Client();
    const other = new pg.Client();
    await Promise.all([running.connect(), other.connect()]);
    const query = new pg.Query('SELECT pg_sleep(60)');
    const ended = once(query, 'end').catch((error) => error);
    running.query(query);
    const began = async () => {
      const { rows } = await other.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = 'SELECT pg_sleep(60)' AND application_name = $1", [process.env.PGAPPNAME]);
      return rows[0].n > 0;
    };
    while (!(await began()));
    const canceller = new pg.Client();
    canceller.connection.on('error', () => {});
    canceller.cancel(running, query);
    assert.equal((await ended).code, '57014');
    assert.deepEqual((await running.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
    await Promise.all([running.end(), other.end()]);
  },

  // SET belongs to the client that said it, over transactions.
  async set() {
    await withPool(1, async (pool) => {
      const clients = await Promise.all(range(4).map(async (n) => {
        const client = new pg.Client();
        await client.connect();
        await client.query(`SET search_path = schema_${n}`);
        await client.query(`SET TIME ZONE ${n + 1}`);
        return client;
      }));
      for (const round of range(5)) {
        await Promise.all(clients.map(async (client, n) => {
          const { rows } = await client.query("SELECT current_setting('search_path') AS path, current_setting('timezone') AS zone");
          assert.deepEqual(rows, [{ path: `schema_${n}`, zone: `<+0${n + 1}>-0${n + 1}` }], `round ${round}`);
        }));
      }
      const { rows } = await pool.query("SELECT current_setting('search_path') AS path");
      assert.deepEqual(rows, [{ path: '"$user", public' }]);
      await Promise.all(clients.map((client) => client.end()));
    });
  },

  async notifications() {
    const listener = new pg.Client();
    const sender = new pg.Client();
    await Promise.all([listener.connect(), sender.connect()]);
    await listener.query(`LISTEN ${table}`);
    for (const n of range(3)) {
      const heard = once(listener, 'notification');
      await sender.query('SELECT pg_notify($1, $2)', [table, `message ${n}`]);
      const [message] = await heard;
      assert.equal(message.payload, `message ${n}`);
    }
    await Promise.all([listener.end(), sender.end()]);
  },
};

const scenario = scenarios[process.argv[2]];
assert.ok(scenario, `no scenario ${process.argv[2]}`);
await scenario();

\set id random(1, :users)
SELECT id, username, created_at, disabled_at, (SELECT string_agg(role, ' ') FROM user_roles WHERE user_id = users.id) AS roles FROM users WHERE id = :id;

# One image; the role is the argument: docker run ct-alert run-roles dispatcher:sms
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11-slim
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/venv/bin:$PATH
WORKDIR /app
COPY --from=build /venv /venv
COPY ctalert ctalert
COPY services services
COPY shared shared
COPY simulators simulators
RUN python -m compileall -q .
USER 65532:65532
EXPOSE 8081 8082 8083 9080
ENTRYPOINT ["python", "-m", "ctalert"]
CMD ["help"]

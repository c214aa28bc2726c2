# One static binary and nothing else: no shell, no libc, nothing pulled. Made by .ci/image.
FROM scratch
ARG BINARY=target/x86_64-unknown-linux-gnu/release/rota
COPY ${BINARY} /rota
ENV ROTA_HOME=/home
EXPOSE 7645 8645 9645
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=6 CMD ["/rota", "status", "--ready"]
ENTRYPOINT ["/rota"]
CMD ["start"]
